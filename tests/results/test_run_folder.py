"""results.jsonl: nothing measured is lost, and what was written can be read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.results.model import Measurement, RunInfo, Skip, TestResult, Trouble
from hil.results.store import Results, ResultWriter, RunFolder

numbers = st.floats(allow_nan=False)
limits = st.none() | numbers
results = st.builds(
    TestResult,
    test=st.text(st.characters()),
    claim=st.text(),
    verdict=st.sampled_from(["passed", "failed", "error", "skipped", "interrupted"]),
    started=st.just("2026-11-22T13:00:00+00:00"),
    duration_s=st.floats(0, 1e6),
    troubles=st.lists(st.builds(Trouble, *[st.text()] * 5), max_size=2).map(tuple),
    skip=st.none() | st.builds(Skip, st.text(), st.lists(st.text()).map(tuple)),
    measurements=st.lists(st.builds(Measurement, st.text(), numbers, st.text(), limits), max_size=2).map(tuple),
    artifacts=st.lists(st.text()).map(tuple),
    output=st.text(),
)
INFO = RunInfo("night", "2026-11-22T13:00:00+00:00", "0.1.0", "desk")


def written(path: Path, tests: list[TestResult]) -> Path:
    path.unlink(missing_ok=True)
    writer = ResultWriter(path, lambda line: line)
    writer.run(INFO)
    for test in tests:
        writer.test(test)
    writer.end(0)
    writer.close()
    return path


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tests=st.lists(results, max_size=4))
def test_what_is_written_is_read_back(tmp_path: Path, tests: list[TestResult]) -> None:
    """Any text in a message, any figure: history and reports see what the run saw."""
    read = Results(written(tmp_path / "results.jsonl", tests))
    assert (read.info, read.tests) == (INFO, tests)
    assert read.end is not None


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tests=st.lists(results, min_size=1, max_size=3), share=st.floats(0, 1))
def test_a_file_that_was_cut_gives_its_whole_lines(tmp_path: Path, tests: list[TestResult], share: float) -> None:
    """A run killed while it wrote costs at most the line that it was writing."""
    path = written(tmp_path / "results.jsonl", tests)
    whole = path.read_bytes()
    kept = whole[: int(len(whole) * share)]
    path.write_bytes(kept)
    read = Results(path)
    assert read.tests == tests[: max(0, kept.count(b"\n") - 1)]


def test_each_line_is_on_disk_at_once(tmp_path: Path) -> None:
    """A power cut of the controller after a test does not lose the test."""
    writer = ResultWriter(tmp_path / "results.jsonl", lambda line: line)
    writer.run(INFO)
    assert Results(tmp_path / "results.jsonl").info == INFO
    writer.close()


def test_later_facts_replace_earlier_ones(tmp_path: Path) -> None:
    """What is tested is known only after the bench is up; the newest word counts."""
    writer = ResultWriter(tmp_path / "results.jsonl", lambda line: line)
    info = RunInfo("night", INFO.started, "0.1.0", "desk")
    writer.run(info)
    info.facts["package"] = "2.1.0.0"
    writer.run(info)
    writer.close()
    read = Results(tmp_path / "results.jsonl").info
    assert read is not None
    assert read.facts == {"package": "2.1.0.0"}


def test_runs_of_the_same_second_have_their_own_folders(tmp_path: Path) -> None:
    """Two benches that start together do not mix their results; latest is one of them."""
    folders = [RunFolder(tmp_path, "desk").path for _ in range(3)]
    assert len(set(folders)) == 3
    assert (tmp_path / "latest").resolve() == folders[-1]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message says where it was to be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        RunFolder(tmp_path / "file", "desk")


def test_each_test_has_files_of_its_own(tmp_path: Path) -> None:
    """Names that differ only in signs, or in the folder of the suite, never share captures, dumps or a bundle."""
    names = ["a/test_x.py::t", "b/test_x.py::t", "test_x.py::t[rx/tx]", "test_x.py::u[rx/tx]", "test_x.py::t[a b]",
             "test_x.py::t[a-b]", "test_x.py::t[2]", "test_x.py::t#2"]  # fmt: skip
    folder = RunFolder(tmp_path, "desk")
    assert len({folder.artifacts_of(name) for name in names}) == len(names)
    assert all(folder.artifacts_of(name).parent == folder.artifacts for name in names)
