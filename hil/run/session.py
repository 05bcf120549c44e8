"""One run on one bench: from the testbed file to the reports."""

from __future__ import annotations

import pytest


def activate(config: pytest.Config) -> None:
    """Load the testbed and register the plug-ins of a run. Raises pytest.UsageError."""
    from hil.run import fixtures

    config.pluginmanager.register(fixtures, "hil-fixtures")
