"""What a bugcheck's numbers say, and what tells one crash from another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.windows.bugchecks import CODES, bugcheck_name, in_full, meaning, rule

ADDRESS = 0xFFFFF80412345678


@pytest.mark.parametrize(
    ("code", "parameters", "expected_rule", "words"),
    [
        (0xD1, (0x10, 2, 1, ADDRESS), "write", "bad memory"),
        (0x9F, (3, ADDRESS, ADDRESS, ADDRESS), "0x3", "power IRP held"),
        (0xC4, (0x91002, 1, 2, 3), "0x91002", "NdisOidDoubleComplete"),
        (0x15E, (0x25, 0x23, ADDRESS, 0), "0x25/0x23", "OID request"),
        (0x15E, (0x01, ADDRESS, 0, 74), "0x1/0x4A", "set power to D0"),
        (0x7C, (0x08, ADDRESS, 0, 0), "0x8", "interrupt"),
        (0xE6, (0x26, 0, 0, 0), "0x26", "IOMMU"),
    ],
)
def test_rule_and_meaning(code: int, parameters: tuple[int, ...], expected_rule: str, words: str) -> None:
    """The parameter that counts is another one for each code; a person reads words, not numbers."""
    assert rule(code, parameters) == expected_rule
    assert words in meaning(code, parameters)


def test_addresses_do_not_make_a_new_crash() -> None:
    """The same bug has other addresses in each boot: by address every night would have a new crash."""
    assert rule(0xD1, (0x10, 2, 0, ADDRESS)) == rule(0xD1, (0x88, 2, 0, ADDRESS + 64))
    assert rule(0xD1, (0x10, 2, 0, ADDRESS)) != rule(0xD1, (0x10, 2, 1, ADDRESS))


def test_unknown_codes() -> None:
    """Windows has more codes than this table: they are shown as numbers, and still fall into one heap by code."""
    assert (bugcheck_name(0xDEAD), rule(0xDEAD, (1, 2, 3, 4)), meaning(0xDEAD, (1, 2, 3, 4))) == ("0xDEAD", "", "")
    assert in_full(0xD1, (1, 2)) == "0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x1, 0x2)"


@given(
    st.sampled_from(sorted(CODES)) | st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=5)
)
def test_any_numbers(code: int, parameters: list[int]) -> None:
    """Damaged records have any numbers, or none."""
    assert "\n" not in rule(code, parameters) + meaning(code, parameters)
