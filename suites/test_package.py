"""The package as it lies on disk: what InfVerif and the kit's static tests would say of it."""

from __future__ import annotations

import pytest

from hil.package import Severity
from hil.package.check import check


@pytest.mark.hlk("DF - InfVerif INF Verification", "NICStrictPropertyValidation")
def test_package_is_sound(package_on_disk):
    """INF, images and catalog break no rule of Windows, of InfVerif or of certified drivers; notes are no rules.

    A package that is refused at the last gate has cost the weeks before it.
    """
    reports = check(package_on_disk.folder)
    findings = [finding for report in reports for finding in report.findings]
    assert reports
    assert not [str(one) for one in findings if one.severity is not Severity.NOTE]


@pytest.mark.hlk("NICStrictPropertyValidation")
def test_standardized_keywords_are_as_documented(package_on_disk):
    """Each standardized keyword has the type, values, range and default that Microsoft documents.

    Scripts and policies of administrators rely on them, and so does the kit.
    """
    inf = package_on_disk.inf_name.lower()
    (report,) = [report for report in check(package_on_disk.folder) if report.inf.lower() == inf]
    assert package_on_disk.keywords
    assert not [str(one) for one in report.findings if one.rule.startswith("keyword")]
