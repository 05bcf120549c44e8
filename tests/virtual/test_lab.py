"""The bench as a process: it comes up fast, tells what is missing, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hil.clock import Deadline, now_s
from hil.errors import BenchError, UsageError
from hil.journal import Journal
from hil.testbed.model import Testbed, Virtual
from hil.virtual.lab import Lab
from hil.wait import wait_until

STARTS = """
import sys
from pathlib import Path
from hil.journal import Journal
from hil.testbed.model import Testbed, Virtual
from hil.virtual.lab import Lab
with Lab(Testbed(name="orphan", virtual=Virtual()), Path(sys.argv[1]), Journal()) as testbed:
    print(testbed.machine.ssh.port, flush=True)
    sys.stdin.read()
"""


def described(**virtual: object) -> Testbed:
    return Testbed(name="lab-test", virtual=Virtual.model_validate(virtual))


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def test_state_folder_that_is_none(tmp_path):
    """A file in the place of the state folder is the person's to mend, not a defect of hil."""
    (tmp_path / "state").touch()
    with pytest.raises(UsageError, match="state_dir"), Lab(described(), tmp_path / "state", Journal()):
        pass


def test_up_and_down(tmp_path):
    """A bench is up within seconds as an ordinary testbed, small in memory, and gone without a trace.

    A run starts one each time; what it leaves behind adds up over a night.
    """
    lab = Lab(described(), tmp_path, Journal())
    started_s = now_s()
    with lab as testbed:
        assert now_s() - started_s < 10.0  # 0.8 s on an idle computer
        assert testbed.virtual is None
        assert testbed.machine is not None
        assert testbed.packages is not None
        assert testbed.packages.current.is_dir()
        assert set(testbed.instruments) == {"outlet", "slot", "meter", "button", "cable"}
        assert (testbed.partner is None) == ("wire" in lab.missing)
        pid = lab.pid
        family = [pid, *children_of(pid)]
        assert sum(resident_mb(one) for one in family) < 150.0
    assert not any(alive(one) for one in family)
    assert list(tmp_path.iterdir()) == []


def test_dies_with_its_parent(tmp_path):
    """When the process that started it is killed, the bench ends by itself, with its folder and its namespaces.

    A controller that crashes at three in the morning must not leave a bench that holds ports and memory.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None and parent.stdin is not None
    assert parent.stdout.readline().strip().isdigit()
    bench = children_of(parent.pid)
    assert bench
    family = bench + [child for one in bench for child in children_of(one)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    wait_until(lambda: not any(map(alive, family)), what="the bench to end", timeout_s=10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_bench_that_dies_early(tmp_path, sign):
    """A bench that is terminated or killed under our hands leaves no child process and, once closed, no file.

    The out-of-memory killer does not ask.
    """
    lab = Lab(described(), tmp_path, Journal())
    with lab:
        family = [lab.pid, *children_of(lab.pid)]
        os.kill(lab.pid, sign)
        wait_until(lambda: not any(map(alive, family)), what="the bench to end", timeout_s=10)
    assert list(tmp_path.iterdir()) == []


def test_wrong_fault_is_the_persons_mistake(tmp_path):
    """A fault that does not exist is a UsageError that names it, and nothing stays behind.

    Exit codes tell a scheduler who must act.
    """
    with pytest.raises(UsageError, match=r"no\.such:Fault"):
        Lab(described(faults=["no.such:Fault"]), tmp_path, Journal()).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_defect_is_reported_with_its_log(tmp_path):
    """A bench that breaks while it starts is a BenchError that carries the end of its log.

    Without it nobody could tell a missing package from a full disk.
    """
    lab = Lab(described(faults=["broken_fault:BreaksAtStart"]), tmp_path, Journal())
    with pytest.raises(BenchError, match="a defect of this very fault"), lab:
        pass
    assert list(tmp_path.iterdir()) == []


def start_under(wrapper: list[str], folder: Path) -> dict[str, object]:
    """The first line of a bench that runs under another program."""
    request = json.dumps({"testbed": described().dump(), "state_dir": str(folder)}) + "\n"
    process = subprocess.Popen(
        [*wrapper, sys.executable, "-m", "hil.virtual"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    line = process.stdout.readline()
    process.stdin.close()
    process.wait(10)
    process.stdout.close()
    answer: dict[str, object] = json.loads(line)
    return answer


def can(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


NO_NAMESPACES = ["unshare", "-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$0" "$@"']


@pytest.mark.skipif(not can(*NO_NAMESPACES, "true"), reason="user namespaces are not allowed here")
def test_without_the_right_to_a_wire(tmp_path):
    """Where no network namespace can be had, the bench comes up without a wire and says what is missing.

    Tests that need the wire are then skipped with that cause, never passed.
    """
    answer = start_under(NO_NAMESPACES, tmp_path)
    testbed, missing = answer["testbed"], answer["missing"]
    assert isinstance(testbed, dict) and isinstance(missing, dict)
    assert "namespace" in missing["wire"]
    assert "partner" not in testbed
    assert "machine" in testbed


UNPRIVILEGED = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]


@pytest.mark.skipif(not can(*UNPRIVILEGED, "unshare", "-U", "true"), reason="user namespaces are not allowed here")
def test_unprivileged_wire(tmp_path):
    """Without CAP_SYS_ADMIN the bench makes a user namespace of its own and has its wire.

    A developer runs it without root.
    """
    answer = start_under(UNPRIVILEGED, tmp_path)
    assert answer["missing"] == {}


def test_end_is_bounded(tmp_path):
    """A bench that does not react (stopped) is killed after its deadline.

    Ctrl-C must not hang.
    """
    lab = Lab(described(), tmp_path, Journal(), end_timeout_s=0.3)
    with lab:
        family = [lab.pid, *children_of(lab.pid)]
        os.kill(lab.pid, signal.SIGSTOP)
        deadline = Deadline(5)
    assert not deadline.expired
    wait_until(lambda: not any(map(alive, family)), what="the processes to end", timeout_s=5)
    assert list(tmp_path.iterdir()) == []
