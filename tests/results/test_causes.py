"""Two hundred red lines are mostly three defects: tests with the same cause stand together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from a_run import a_test, device
from hypothesis import given
from hypothesis import strategies as st

from hil.results.causes import by_cause, cause_key, headline
from hil.results.model import Crash, Skip, Trouble


def key(message: str, error: str = "AssertionError") -> str:
    return cause_key(a_test("test_x", "failed", Trouble("call", "failed", "device", error, message)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("859 Mbit/s after S3, at least 913 wanted", "901 Mbit/s after S3, at least 913 wanted"),
        ("seen 3.5 W after 1,200 s", "seen 4 W after 7 s"),
        ("at 0xFFFF8000 in hilnic", "at 0xffff9123 in hilnic"),
        ("lost\nat line 1", "lost\nat line 2"),
    ],
)
def test_figures_do_not_part_a_cause(one: str, other: str) -> None:
    """The same defect reads a little different each time: rates, addresses, times."""
    assert key(one) == key(other)


def test_a_bare_assertion_is_told_by_its_claim() -> None:
    """``assert 908.3785795782753 >= 913.2`` says nothing to somebody who did not write the test."""
    trouble = Trouble("call", "failed", "device", "AssertionError", "assert 908.3785795782753 >= 913.2\n + where ...")
    assert headline(a_test("test_x", "failed", trouble)) == "Claim of test_x (assert 908.4 >= 913.2)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("slow after S3", "slow after S4"),
        ("bugcheck IRQL_NOT_LESS (0x1)", "bugcheck PAGE_FAULT (0x1)"),
        ("oem3.inf is bound", "oem7.inf is bound"),
    ],
)
def test_names_do(one: str, other: str) -> None:
    """What differs in a name is another defect."""
    assert key(one) != key(other)


def test_another_error_is_another_cause() -> None:
    """A lost link and a crash with the same words are not the same."""
    assert key("gone", "LinkLost") != key("gone", "Bugcheck")


def test_most_frequent_first_and_new_ones_marked() -> None:
    """The first cause is the one to look at first; what was there last night is known."""
    tests = [a_test(f"test_{name}", "failed", device(name[0])) for name in ("a1", "b1", "b2", "c1")]
    causes = by_cause(tests, known=frozenset({cause_key(tests[0])}))
    assert [(len(cause.tests), cause.new) for cause in causes] == [(2, True), (1, False), (1, True)]
    assert not by_cause(tests)[0].new, "without a run before, nothing is called new"


def test_headlines() -> None:
    """One line says why: the error for what hil found, the words alone for a plain assertion."""
    assert headline(a_test("x", "failed", device("died"))) == "Bugcheck: died"
    assert headline(a_test("x", "failed", device("died", "AssertionError"))) == "died"
    assert headline(a_test("x", "skipped", skip=Skip("no slot"))) == "no slot"
    assert headline(a_test("x", "interrupted")) == "interrupted"


@given(st.text())
def test_any_message_has_a_cause(message: str) -> None:
    """Whatever a driver or a tool says, the report is written."""
    assert "\n" not in key(message, "LinkLost")


def test_the_same_crash_is_one_cause() -> None:
    """A crash shows in each test as something else (a timeout, a lost link); its bucket says that it is one bug."""
    crash = Crash("bugcheck", "0xD1/2/hilnic.sys/2.1.0.0", "DRIVER_IRQL_NOT_LESS_OR_EQUAL", "touched memory too high")
    one = a_test("test_a", "failed", device("the link went away", "LinkLost"), crashes=(crash,))
    other = a_test("test_b", "failed", device("bugcheck 0xD1"), crashes=(crash,))
    provoked = a_test("test_c", "failed", device("slow"), crashes=(replace(crash, expected=True),))
    causes = by_cause([one, other, provoked])
    assert [(cause.text, len(cause.tests)) for cause in causes] == [
        ("DRIVER_IRQL_NOT_LESS_OR_EQUAL: touched memory too high", 2), ("Bugcheck: slow", 1)
    ]  # fmt: skip
