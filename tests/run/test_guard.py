"""What the guard calls a machine that went down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.bench import Bench
from hil.clock import utc_now
from hil.journal import Journal
from hil.results.store import RunFolder
from hil.run.crashes import CrashBook
from hil.run.guard import Guard, Seen
from hil.testbed.model import Testbed, Virtual
from hil.virtual.lab import Lab
from hil.wait import wait_until
from hil.windows import IncidentKind

HANGS = "hil.virtual.faults.crash:HangsInsteadOfBugcheck"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    described = Testbed(name="guarded", virtual=Virtual(faults=(HANGS,)))
    journal = Journal()
    with Lab(described, tmp_path_factory.mktemp("state"), journal) as testbed, Bench(testbed, journal) as bench:
        yield bench


def hang_and_cut(bench: Bench, artifacts: Path, *, by_recovery: bool) -> Seen:
    """The machine hangs, and its mains are cut: by hil's own recovery, or by whoever."""
    guard = Guard(bench)
    guard.arm()
    boot = bench.machine.boot()
    bench.machine.crashes.provoke()
    wait_until(lambda: not bench.machine.ssh.alive(0.3), what="the machine to hang", timeout_s=10)
    taken_down = utc_now() if by_recovery else None
    bench.outlet.off()
    bench.outlet.on()
    bench.machine.wait_booted(after=boot)
    return guard.check((), artifacts, taken_down=taken_down)


def test_hang(bench: Bench, tmp_path: Path) -> None:
    """A machine that answered no more until hil cut its power hung: told as that, in a bucket of its own.

    What the test saw of it is its verdict. As a power cut it would be put down to the lab's mains.
    """
    seen = hang_and_cut(bench, tmp_path, by_recovery=True)
    assert [one.kind for one in seen.incidents] == [IncidentKind.HANG]
    assert seen.error is None
    book = CrashBook(bench, RunFolder(tmp_path / "reports", "guarded"))
    (crash,) = book.note(seen.incidents, seen.dumps, test="test_x", expected=())
    assert (crash.kind, crash.bucket.split("/")[0]) == ("hang", "hang")


def test_power_lost_by_itself(bench: Bench, tmp_path: Path) -> None:
    """The same records without hil's doing are held against the device, unless the test cuts the power itself."""
    seen = hang_and_cut(bench, tmp_path, by_recovery=False)
    assert [one.kind for one in seen.incidents] == [IncidentKind.POWER_LOSS]
    assert seen.error is not None
    book = CrashBook(bench, RunFolder(tmp_path / "reports", "guarded"))
    assert book.note(seen.incidents, seen.dumps, test="test_x", expected={"power_loss"}) == []
    (crash,) = book.note(seen.incidents, seen.dumps, test="test_x", expected=())
    assert crash.name == "went down by itself"
