"""``--count``, ``--until-fail``, ``--seed``: tests repeated, and chance that can be had again."""

from __future__ import annotations

import json
from collections.abc import Callable

SUITE = """
SEEN = []

@pytest.fixture(params=["x", "y"])
def letter(request):
    yield request.param
    SEEN.append("down")

class TestOf:
    @pytest.mark.parametrize("number", [1, 2])
    def test_one(self, letter, number):
        '''A claim.'''
        self.own = getattr(self, "own", 0) + 1
        assert self.own == 1
        SEEN.append((letter, number))

def test_other():
    SEEN.append("other")
    assert SEEN.count("other") < 3
"""


def test_rounds(run: Callable) -> None:
    """Each chosen test has its turn in each round, with fixtures and an instance of its own, and a name of its own."""
    outcome = run(SUITE, "--count", "2", "test_suite.py::TestOf::test_one[x-1]", "test_suite.py::test_other")
    assert outcome.exit_code == 0, outcome.text
    names = ["TestOf::test_one[x-1]#1", "test_other#1", "TestOf::test_one[x-1]#2", "test_other#2"]
    assert list(outcome.tests) == names
    assert outcome.tests[names[0]]["claim"] == "A claim."
    assert len([*(outcome.folder / "tests").iterdir()]) == 4


def test_until_one_fails(run: Callable) -> None:
    """It ends with the first failure, and is a whole run: nothing of it was not tested."""
    outcome = run(SUITE, "--until-fail", "test_suite.py::test_other")
    assert outcome.exit_code == 1
    assert outcome.verdicts == {"test_other#1": "passed", "test_other#2": "passed", "test_other#3": "failed"}
    info = [line for line in outcome.lines if line["kind"] == "run"][-1]
    assert (info["collected"], outcome.lines[-1]["reason"]) == (3, "")


def test_a_count_that_cannot_be(run: Callable) -> None:
    """A count of nothing is refused before anything runs, with the exit code for what a person can mend."""
    outcome = run(SUITE, "--count=0")
    assert outcome.exit_code == 4
    assert "--count wants a number from 1 on" in outcome.text


def test_the_seed_is_told_and_kept(run: Callable) -> None:
    """The seed is printed, begins the journal, and stands in results and report: all chance can be had again by it."""
    suite = "def test_x(chance, record): record('drawn', chance.random())"
    drawn = run(suite)
    seed = drawn.lines[0]["seed"]
    assert f"seed: {seed}" in drawn.text
    first = json.loads((drawn.folder / "journal.jsonl").read_text().partition("\n")[0])
    assert (first["kind"], first["seed"]) == ("run", seed)
    assert f"<dd>{seed}</dd>" in (drawn.folder / "index.html").read_text()
    given = run(suite, "--seed", str(seed), "--count", "2")
    assert given.lines[0]["seed"] == seed
    assert f"- seed: {seed}" in (given.folder / "summary.md").read_text()
    [then] = [test["measurements"][0]["value"] for test in drawn.tests.values()]
    now = [test["measurements"][0]["value"] for test in given.tests.values()]
    assert now[0] == then != now[1]
