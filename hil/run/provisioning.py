"""The bench made ready for a run, and what it then is, for the report."""

from __future__ import annotations

from hil.bench import Bench


def provision(bench: Bench, facts: dict[str, str]) -> None:
    """Provision the machine, bind the package under test, and note in ``facts`` what is tested."""
    raise NotImplementedError
