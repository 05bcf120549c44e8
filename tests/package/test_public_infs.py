"""Regression facts over public INF files; see public_infs.py for how they are made."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from public_infs import fact, reports

from hil.package import Severity
from hil.package.rules import RULES

FACTS = json.loads(Path(__file__).with_name("public_infs.json").read_text(encoding="utf-8"))
FOLDER = os.environ.get("HIL_PUBLIC_INFS", "")
ERRORS = {rule.id for rule in RULES if rule.severity is Severity.ERROR} | {"unreadable"}


def test_there_is_a_corpus():
    """More than a thousand network INFs of vendors, of each decade, most with models for this Windows."""
    assert len(FACTS) > 1000
    assert sum("models" in found and found["models"] > 0 for found in FACTS.values()) > 900
    assert sum(found.get("settings", 0) > 0 for found in FACTS.values()) > 700


def test_facts_are_of_the_rules_that_stand():
    """Every finding is of a rule that still exists: else the facts are stale and prove nothing."""
    known = {rule.id for rule in RULES} | {"unreadable"}
    assert {rule for found in FACTS.values() for rule in found["findings"]} <= known


def test_microsofts_own_samples_have_no_error():
    """Microsoft's NDIS samples pass, but for what stampinf adds: a rule that calls them wrong is wrong itself."""
    samples = {path: found for path, found in FACTS.items() if "/network/ndis/" in path}
    assert len(samples) >= 10
    for path, found in samples.items():
        assert not ERRORS & set(found["findings"]) - {"driver-ver"}, path


def test_no_rule_fires_on_nearly_all():
    """No error is found in more than half of what vendors shipped: Windows took these files."""
    counts = {rule: sum(rule in found["findings"] for found in FACTS.values()) for rule in ERRORS}
    assert max(counts.values()) < len(FACTS) / 2, counts


@pytest.mark.skipif(not FOLDER, reason="needs the files: HIL_PUBLIC_INFS names their folder")
def test_outcome_is_as_it_was():
    """The rules say today what they said when the facts were written."""
    now = {path: json.loads(json.dumps(fact(report))) for path, report in reports(Path(FOLDER))}
    assert {path: now.get(path) for path in FACTS} == FACTS
