"""Names of tests: a repetition has its number behind the name of the test, ``test_pnp.py::test_removal[send]#3``."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"#(\d+)$")


def base_id(node_id: str) -> str:
    """The test that a node id is a repetition of; itself when it is none."""
    return _NUMBER.sub("", node_id)


def number_of(node_id: str) -> int:
    """Which repetition it is, from 1 on."""
    found = _NUMBER.search(node_id)
    return int(found[1]) if found else 1
