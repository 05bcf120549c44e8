"""precheck.html and precheck.json: one file each, that open without a network."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

from hil.results.errata import Erratum
from hil.results.precheck import LocalResult, Precheck, Prediction, Status

PAGE, DATA = "precheck.html", "precheck.json"


def write_precheck(precheck: Precheck, folder: Path) -> Path:
    """Write both into ``folder``; comes back with the page. OSError passes through."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hil.results"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"word": _css_word}
    counts = Counter(one.status for one in precheck.predictions)
    page = environment.get_template("precheck.html.j2").render(
        precheck=precheck,
        counts=counts,
        statuses=list(Status),
        requirement_counts=Counter(one.status for one in precheck.requirements),
        style=files("hil.results").joinpath("assets/report.css").read_text(encoding="utf-8"),
    )
    (folder / DATA).write_text(json.dumps(as_data(precheck), indent=1), encoding="utf-8")
    path = folder / PAGE
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def _css_word(status: Status) -> str:
    return status.value.replace(" ", "-")


def as_data(precheck: Precheck) -> dict[str, Any]:
    """What the page says, for programs."""
    return {
        "package_sha256": precheck.package,
        "package": precheck.title,
        "day": precheck.day.isoformat(),
        "places": list(precheck.places),
        "tests": [_test(one) for one in precheck.predictions],
        "requirements": [
            {
                "id": one.requirement.id, "title": one.requirement.title, "status": one.status,
                "optional": one.requirement.optional, "tests": list(one.requirement.tests), "covered": one.covered,
            }
            for one in precheck.requirements
        ],
    }  # fmt: skip


def _test(one: Prediction) -> dict[str, Any]:
    return {
        "name": one.test.name, "category": one.test.category, "status": one.status, "reason": one.reason,
        "local": list(one.local), "results": [_result(result) for result in one.results],
    }  # fmt: skip


def _result(one: LocalResult) -> dict[str, Any]:
    return {
        "test": one.test, "verdict": one.verdict, "started": one.started, "run": one.run, "bench": one.bench,
        "os_build": one.os_build, "message": one.message, "erratum": _erratum(one.erratum),
        "expired_erratum": _erratum(one.expired),
    }  # fmt: skip


def _erratum(one: Erratum | None) -> dict[str, str] | None:
    return {"reason": one.reason, "until": one.until.isoformat()} if one else None
