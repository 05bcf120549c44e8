"""Names of tests: a repetition has its number behind the name of the test, ``test_pnp.py::test_removal[send]#3``."""

from __future__ import annotations

import re
from zlib import crc32

_NUMBER = re.compile(r"#(\d+)$")
_LONGEST_NAME = 60


def base_id(node_id: str) -> str:
    """The test that a node id is a repetition of; itself when it is none."""
    return _NUMBER.sub("", node_id)


def number_of(node_id: str) -> int:
    """Which repetition it is, from 1 on."""
    found = _NUMBER.search(node_id)
    return int(found[1]) if found else 1


def file_name(node_id: str) -> str:
    """For a test's page, artifacts and bundle: readable, and unique by the node id's checksum."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", node_id.rpartition("/")[2]).strip("-.")[:_LONGEST_NAME]
    return f"{name}-{crc32(node_id.encode('utf-8', 'replace')):08x}"
