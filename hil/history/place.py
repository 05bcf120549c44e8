"""Where the history is, without opening it; loads no library of databases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

VARIABLE, OFF = "HIL_HISTORY", "off"
FILE = "history.sqlite"


def place(given: str | None, environment: Mapping[str, str], reports: Path) -> str:
    """As a URL: what was given, or else HIL_HISTORY, or else a file in the folder of the reports."""
    named = given or environment.get(VARIABLE) or str(reports / FILE)
    return named if "://" in named else f"sqlite:///{Path(named).absolute()}"


def is_off(given: str | None, environment: Mapping[str, str]) -> bool:
    """``off`` in place of a URL: nothing is kept, nothing is compared."""
    return (given or environment.get(VARIABLE)) == OFF


def passwords(url: str) -> set[str]:
    """The forms in which a URL holds its password, for the journal to mask."""
    try:
        parts = urlsplit(url)
        written = {parts.password or "", *parse_qs(parts.query).get("password", ())}
    except ValueError:
        return set()
    return {form for word in written for form in (word, unquote(word)) if form}
