"""A comparison in lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from hil.history.compare import Comparison, Counts, FigureChange
from hil.results.words import many, number


def told(comparison: Comparison, most: int) -> Iterator[str]:
    """What differs, what matters most first; at most so many lines of tests, and of figures."""
    yield f"{comparison.first} and {comparison.second}: {many(comparison.tests, 'test')}"
    for one in comparison.outcomes[:most]:
        unsure = "" if one.sure or one.kind in ("new", "gone", "no answer any more") else ", too few runs to tell"
        yield f"{one.kind}: {one.test}, {_counts(one.first)} before, {_counts(one.second)} now{unsure}"
    yield from _left_out(len(comparison.outcomes) - most, "test")
    differ = [one for one in comparison.figures if one.kind not in ("too few runs", "no difference")]
    for figure in differ[:most]:
        yield _figure(figure)
    yield from _left_out(len(differ) - most, "figure")
    unknown = sum(one.kind == "too few runs" for one in comparison.figures)
    same = len(comparison.figures) - len(differ) - unknown
    yield f"{many(len(differ), 'figure')} differ, {same} do not, of {unknown} there are too few runs to tell"


def share(part: float) -> str:
    """``+3.1 %``; from 0 there is no share."""
    return f"{100 * part:+.1f} %" if abs(part) != float("inf") else "from 0"


def _figure(one: FigureChange) -> str:
    where = f" on {one.bench}" if one.bench else ""
    basis = "by the noise of earlier runs" if one.by_noise else f"{one.first_runs} and {many(one.second_runs, 'run')}"
    return (
        f"{one.kind}: {one.measurement}{where}, {number(one.first)} before, {number(one.second)} {one.unit} now, "
        f"{share(one.share)} ({basis}), {one.test}"
    )


def _counts(counts: Counts) -> str:
    told = [f"{counts.passed} passed", f"{counts.failed} failed"]
    if counts.error:
        told.append(many(counts.error, "error"))
    return " ".join(told) if counts else "never"


def _left_out(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"and {many(count, f'other {what}')}"
