"""Where the history is, without opening it; loads no library of databases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hil.errors import UsageError

VARIABLE, OFF = "HIL_HISTORY", "off"
FILE = "history.sqlite"
KINDS = ("sqlite", "postgresql", "postgresql+psycopg")


def place(given: str | None, environment: Mapping[str, str], reports: Path) -> str:
    """As a URL: what was given, or else HIL_HISTORY, or else a file in the folder of the reports.

    Raises UsageError for a URL of another kind of database.
    """
    named = given or environment.get(VARIABLE) or str(reports / FILE)
    kind, found, _ = named.partition("://")
    if not found:
        return f"sqlite:///{Path(named).absolute()}"
    if kind not in KINDS:
        raise UsageError(
            "a history: a file, sqlite:///FILE, postgresql://USER@HOST/DATABASE or off", seen=f"{kind}://...",
            next_step=f"mend --history or {VARIABLE}",
        )  # fmt: skip
    return named


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
