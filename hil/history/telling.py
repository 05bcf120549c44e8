"""Comparisons and losses in lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from hil.history.compare import Comparison, Counts, FigureChange
from hil.history.time_lost import BenchLoss
from hil.results.words import many, number, seconds

_MOST_CAUSES = 10


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


def losses(found: Iterable[BenchLoss], now: datetime) -> Iterator[str]:
    """By bench, the greatest loss first, each with its causes and times without any answer."""
    for loss in found:
        never = f", {many(loss.never_began, 'test')} never began" if loss.never_began else ""
        spent = f"{seconds(loss.errors_s)} in {many(loss.errors, 'error')}" if loss.errors else "nothing"
        yield f"{loss.bench}: {spent}, of {seconds(loss.tests_s)}{never}"
        for cause in loss.causes[:_MOST_CAUSES]:
            yield f"  {seconds(cause.duration_s)} in {many(cause.count, 'error')}: {cause.first_error}"
        yield from (f"  {line}" for line in _left_out(len(loss.causes) - _MOST_CAUSES, "cause"))
        for out in loss.outages:
            until = f"to {out.end:%Y-%m-%d %H:%M}" if out.end else "until now"
            between = f"from {out.begin:%Y-%m-%d %H:%M} {until}"
            yield f"  no answer for {out.hours(now):.1f} h {between}, {many(out.runs, 'run')}"


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
