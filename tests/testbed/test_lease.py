"""Leases: one run per bench, nothing left over by a run that died, and no harm by one that hung."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil.errors import BenchError, UsageError
from hil.testbed.lease import EXPIRY_S, Lease, LeaseLost, adopt, lease, seize, standing
from hil.testbed.model import Adapter, Machine, Ssh, Testbed
from hil.testbed.out_of_service import Reason, out_of_service, put_back, take_out
from hil.wait import wait_until

HOLD = """
import sys
from hil.testbed.lease import lease
from hil.testbed.model import Testbed
with lease(Testbed.model_validate_json(sys.argv[1]), run="other") as held:
    print("held", flush=True)
    for line in sys.stdin:
        try:
            held.check()
            print("mine", flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
"""
NOBODY = 65534


def a_testbed(state: Path, *, host: str = "192.0.2.1", name: str = "desk") -> Testbed:
    machine = Machine(ssh=Ssh(host=host, user="hil", key_file=Path("key"), host_key="ssh-ed25519 AAAA"))
    adapter = Adapter(hardware_id="PCI", link_mbps=1000, address="198.18.0.1/24")
    return Testbed(name=name, machine=machine, adapter=adapter, state_dir=state)


@contextmanager
def hold(bench: Testbed) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the bench, and says on demand whether it still may use it."""
    command = [sys.executable, "-c", HOLD, bench.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def asked(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def silent_since(bench: Testbed, seconds: float) -> None:
    """As if its holder's heart had last beaten so long ago."""
    (file,) = bench.state_dir.glob("*/lease")  # type: ignore[union-attr]
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


def test_a_second_run_is_told_who_holds_the_bench(tmp_path: Path) -> None:
    """Two runs on one machine would ruin each other's results; the second learns whom to ask."""
    bench = a_testbed(tmp_path, name="first")
    with hold(bench) as other:
        with pytest.raises(BenchError) as caught, lease(a_testbed(tmp_path, name="same-machine"), run="mine"):
            raise AssertionError("two runs hold one bench")
        assert asked(other) == "mine"
        assert standing(bench).held
    assert f"pid {other.pid}" in str(caught.value)
    assert "run other of" in str(caught.value)
    assert not standing(bench).held
    with lease(bench, run="mine") as held:
        assert (held.owner.run, held.owner.pid, held.owner.fence, held.inherited) == ("mine", os.getpid(), 2, "")


def test_a_killed_run_leaves_no_lease_but_a_word(tmp_path: Path) -> None:
    """After kill -9 or a power cut of the controller the bench is free at once, and the next run knows to look."""
    bench = a_testbed(tmp_path)
    with hold(bench) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(10)
        with lease(bench, run="mine") as held:
            assert held.owner.run == "mine"
            assert held.inherited.startswith("run other of")
            assert "did not give it back" in held.inherited
    with lease(bench, run="next") as held:
        assert held.inherited.startswith("run other of")  # the one before only looked
        held.rested()
    with lease(bench, run="last") as held:
        assert held.inherited == ""


def test_other_machines_are_free(tmp_path: Path) -> None:
    """A lease keeps one bench, not the lab."""
    with lease(a_testbed(tmp_path), run="one"), lease(a_testbed(tmp_path, host="192.0.2.2"), run="two") as held:
        assert held.owner.run == "two"


def test_a_holder_that_hangs_is_passed_over_and_outranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped for longer than a lease lasts has lost the bench, and learns it before it moves anything.

    Else it would cut the mains under the feet of the run that has the bench by then.
    """
    bench = a_testbed(tmp_path)
    with hold(bench) as other:
        monkeypatch.setattr("hil.testbed.lease.BEAT_S", 0.1)
        other.send_signal(signal.SIGSTOP)
        with pytest.raises(BenchError, match="held by"), lease(bench, run="early"):
            raise AssertionError("it hung for a moment only")
        silent_since(bench, EXPIRY_S + 1)
        with lease(bench, run="mine") as held:
            other.send_signal(signal.SIGCONT)
            assert asked(other).startswith("LeaseLost")
            held.check()
            with pytest.raises(BenchError, match="held by run mine"), lease(bench, run="third"):
                raise AssertionError("two runs hold one bench")
            other.communicate(timeout=10)
            held.check()  # the one who was outranked gave nothing back
        assert standing(bench).owner == held.owner


def test_a_clock_that_jumps_takes_no_bench_from_a_living_holder(tmp_path: Path) -> None:
    """When the controller's clock is set forward by minutes, the run that is at work keeps its bench.

    A controller sets its clock at boot or after a sleep; two runs at once would ruin each other's results.
    """
    bench = a_testbed(tmp_path)
    with hold(bench) as other:
        silent_since(bench, EXPIRY_S + 1)
        with pytest.raises(BenchError, match=f"pid {other.pid}"), lease(bench, run="mine"):
            raise AssertionError("a living holder was passed over")
        assert asked(other) == "mine"


def test_a_heart_goes_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file server that is away for one beat does not end the heart for good: the bench would be lost a minute on."""
    monkeypatch.setattr("hil.testbed.lease.BEAT_S", 0.01)
    tried = list[int]()

    def fail_once(self: Lease) -> None:
        tried.append(1)
        if len(tried) == 1:
            raise OSError("stale file handle")

    monkeypatch.setattr(Lease, "beat", fail_once)
    with lease(a_testbed(tmp_path), run="mine"):
        wait_until(lambda: len(tried) > 2, what="the next beats", timeout_s=5)


def test_another_computer_counts_by_its_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a shared folder whose locks do not reach across computers, a fresh heartbeat holds and an old one does not."""
    bench = a_testbed(tmp_path)
    with lease(bench, run="there") as held:
        text = next(tmp_path.glob("*/lease")).read_text()
    (file,) = tmp_path.glob("*/lease")
    assert held.owner.ended
    monkeypatch.setattr("hil.testbed.lease.BEAT_S", 0.1)
    file.write_text(text.replace(held.owner.host, "elsewhere"))
    assert standing(bench).held
    with pytest.raises(BenchError, match="@elsewhere"), lease(bench, run="mine"):
        raise AssertionError("held on another computer")
    silent_since(bench, EXPIRY_S + 1)
    assert not standing(bench).held
    with lease(bench, run="mine") as mine:
        assert "@elsewhere" in mine.inherited


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process of another user")
def test_other_users_are_kept_out_and_let_in(tmp_path: Path) -> None:
    """Users of one bench share its state folder, as the folder's own permissions say, whoever came first."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:3]):  # as deep as a worker of xdist has it
        folder.chmod(folder.stat().st_mode | 0o755)
    bench = a_testbed(shared)
    with lease(bench, run="root"):
        pass
    go_on, done = os.pipe(), os.pipe()
    child = os.fork()  # the interpreter may lie where another user cannot start it
    if child == 0:
        code = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with lease(bench, run="nobody"):
                os.write(done[1], b".")
                os.read(go_on[0], 1)
            code = 0
        finally:
            os._exit(code)
    assert select.select([done[0]], [], [], 10)[0], "another user was refused"
    with pytest.raises(BenchError, match=f"pid {child}"), lease(bench, run="mine"):
        raise AssertionError("another user's lease was not seen")
    os.write(go_on[1], b".")
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (*go_on, *done):
        os.close(descriptor)
    with lease(bench, run="root again") as held:
        assert (held.owner.fence, held.inherited) == (3, "")


def _take_turns(bench: Testbed, turns: int, log: Path) -> None:
    done = 0
    while done < turns:
        try:
            with lease(bench, run="racer") as held, log.open("a") as file:
                file.write(f"in {held.owner.fence}\n")
                file.flush()
                file.write(f"out {held.owner.fence}\n")
                done += 1
        except BenchError:
            continue


def test_many_at_once_get_it_one_after_the_other(tmp_path: Path) -> None:
    """However many processes ask in the same moment, one has the bench, and no number is given out twice."""
    bench, log = a_testbed(tmp_path), tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_take_turns, args=(bench, 20, log)) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    lines = log.read_text().split("\n")[:-1]
    numbers = list(range(1, 81))
    assert lines == [f"{word} {number}" for number in numbers for word in ("in", "out")]


def test_seized_from_whoever_has_it(tmp_path: Path) -> None:
    """An emergency waits for nobody; the next run learns that the bench was not left at rest."""
    bench = a_testbed(tmp_path)
    with lease(bench, run="mine") as held:
        seize(bench, run="emergency").give_back(left="switched off")
        with pytest.raises(LeaseLost, match="lease 2 was given out after 1"):
            held.check()
    with lease(bench, run="next") as later:
        assert later.inherited == "switched off"


def test_a_watchdog_goes_on_only_for_its_own_holder(tmp_path: Path) -> None:
    """The watchdog of a dead run must not put a bench to rest on which the next run is at work already."""
    bench = a_testbed(tmp_path)
    first = seize(bench, run="first")
    goes_on = adopt(bench, os.dup(first.fileno()), 1)
    assert goes_on is not None
    assert goes_on.owner.watchdog
    assert goes_on.owner.run == "first"
    with pytest.raises(LeaseLost):
        first.check()
    seize(bench, run="second").give_back()
    assert adopt(bench, os.dup(first.fileno()), 2) is None
    goes_on.give_back()
    first.give_back()
    assert standing(bench).owner.run == "second"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", '{"pid": 1, "ho'])
def test_a_half_written_lease_does_not_hold(tmp_path: Path, text: str) -> None:
    """A full disk or a crash in the middle of writing leaves a bench that can be leased again, and is not believed to
    be at rest: what the last holder left there is not known."""
    bench = a_testbed(tmp_path)
    with lease(bench, run="one") as held:
        assert held.inherited == ""
    file = next(tmp_path.glob("*/lease"))
    file.write_text(text)
    with lease(bench, run="two") as held:
        held.beat()
        held.check()
        assert held.inherited == "the note of the last holder cannot be read"
    assert '"two"' in file.read_text()


def test_a_watchdog_goes_on_where_the_note_cannot_be_read(tmp_path: Path) -> None:
    """Its holder died in the middle of a write: the bench has to come to rest all the same."""
    bench = a_testbed(tmp_path)
    first = seize(bench, run="first")
    next(tmp_path.glob("*/lease")).write_text("{")
    goes_on = adopt(bench, os.dup(first.fileno()), 1)
    assert goes_on is not None
    assert goes_on.owner.watchdog
    goes_on.give_back()
    first.give_back()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says which folder, so that the person can choose another one."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"), lease(a_testbed(tmp_path / "file"), run="mine"):
        raise AssertionError("leased on a file")


def test_out_of_service(tmp_path: Path) -> None:
    """A bench that is quarantined is refused with the cause, until a person clears it; a trip is never softened."""
    bench = a_testbed(tmp_path)
    assert out_of_service(bench) is None
    take_out(bench, Reason.QUARANTINED, "its disk is dead")
    with pytest.raises(BenchError, match=r"quarantined by .* its disk is dead"), lease(bench, run="mine"):
        raise AssertionError("ran on a quarantined bench")
    with lease(bench, run="recover", despite=Reason.QUARANTINED):
        take_out(bench, Reason.TRIPPED, "smoke")
        take_out(bench, Reason.QUARANTINED, "it does not answer")
    with pytest.raises(BenchError, match=r"tripped by .* smoke"), lease(bench, run="x", despite=Reason.QUARANTINED):
        raise AssertionError("ran on a tripped bench")
    cleared = put_back(bench)
    assert cleared is not None
    assert cleared.reason is Reason.TRIPPED
    with lease(bench, run="mine"):
        pass


def test_a_note_that_cannot_be_read_keeps_the_bench_out(tmp_path: Path) -> None:
    """Whatever the note said, somebody had a reason to write it."""
    bench = a_testbed(tmp_path)
    take_out(bench, Reason.TRIPPED, "smoke")
    next(tmp_path.glob("*/out-of-service")).write_text("{")
    note = out_of_service(bench)
    assert note is not None
    assert "cannot be read" in str(note)


def test_user_without_a_name(tmp_path, monkeypatch):
    """A user id without a name, as in a container, takes a bench and puts it out of service like any other."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 3999999)
    testbed = a_testbed(tmp_path)
    with lease(testbed, run="mine"):
        assert take_out(testbed, Reason.QUARANTINED, "it does not answer").by.startswith("3999999@")
