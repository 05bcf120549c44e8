"""PowerShell over SSH, at both far ends: results, errors, streams, deadlines, and machines that go away."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ssh_machine import SshMachine

from hil.clock import Deadline
from hil.errors import BenchError
from hil.journal import Journal, Record
from hil.remote import Command, CommandTimeout, ConnectionLost, PowerShell, PowerShellError, PSEnum, SshSession, upload


def test_objects_come_back_typed(shell: PowerShell) -> None:
    """Every .NET type that cmdlets use arrives as its Python type, with Unicode and control characters intact."""
    (sample,) = shell.run(Command("Get-Sample"))
    assert sample.type_names == ("Sample.Type", "System.Object") and str(sample) == "a sample"
    assert dict(sample) == {
        "Text": "Grüße 测试 🐱 \x07 _x0041_ <&>\"'", "Empty": "", "Nothing": None, "Yes": True, "No": False,
        "Int": -5, "Long": 2**40, "Byte": 255, "UInt16": 65535, "UInt32": 2**32 - 1, "UInt64": 2**64 - 1,
        "Double": 0.5, "Bytes": b"\x00\xff", "Guid": uuid.UUID(int=7),
        "When": datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC), "Span": timedelta(days=1, seconds=61.5),
        "Enum": PSEnum(3, "Red", "Sample.Color"), "List": [1, "two", None], "Table": {"a": 1, "b": "c"},
        "Inner": "I am the inner one", "Inners": ["I am the inner one", "I am the inner one"],
    }  # fmt: skip


def test_pipelines_stream_through_commands(shell: PowerShell) -> None:
    """Commands joined by | pass objects on; choosing properties there saves bytes on the wire."""
    found = shell.run(
        Command("Get-NetAdapter", Name="Ethernet 2") | Command("Select-Object", Property=["Name", "ifIndex"])
    )
    assert [dict(adapter) for adapter in found] == [{"Name": "Ethernet 2", "ifIndex": 12}]
    assert shell.run(Command("Get-Number", 10_000) | Command("Select-Object", First=2)) == [0, 1]


def test_arguments_are_data(shell: PowerShell) -> None:
    """What would be an injection in a command line is only a name that does not exist."""
    evil = "x'; Remove-Item C:\\ -Recurse #\"`$(calc)\n"
    with pytest.raises(PowerShellError) as caught:
        shell.run(Command("Get-NetAdapter", Name=evil))
    assert caught.value.records[0].target == evil


def test_an_error_record_is_an_exception(shell: PowerShell) -> None:
    """Id, category, message, exception type and target: the id decides, since messages are localized."""
    with pytest.raises(PowerShellError) as caught:
        shell.run(Command("Get-NetAdapter", Name=["no", "Ethernet", "none"]))
    error = caught.value
    assert error.error_id == "CmdletizationQuery_NotFound_Name,Get-NetAdapter"
    assert error.category == "ObjectNotFound" and error.message.startswith("No MSFT_NetAdapter objects found")
    assert error.records[0].exception == "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
    assert len(error.records) == 2 and error.records[1].target == "none" and not error.terminated
    assert "Get-NetAdapter -Name" in str(error) and isinstance(error, BenchError)


def test_errors_can_be_kept(shell: PowerShell) -> None:
    """A question whose "no" is an answer keeps its errors beside the output."""
    kept = shell.run(Command("Get-NetAdapter", Name=["no", "Ethernet"]), check=False)
    assert [adapter["Name"] for adapter in kept] == ["Ethernet"] and kept.errors[0].target == "no" and not kept.failed
    silent = shell.run(Command("Get-NetAdapter", Name="no", ErrorAction="SilentlyContinue"))
    assert silent == [] and silent.errors == []


@pytest.mark.parametrize(
    ("command", "error_id", "category"),
    [
        (Command("Get-Nothing"), "CommandNotFoundException", "ObjectNotFound"),
        (Command("Stop-Here"), "Stopped,Sample.StopHereCommand", "InvalidOperation"),
        (Command("Get-NetAdapter", Nmae="x"), "NamedParameterNotFound,Get-NetAdapter", "InvalidArgument"),
        (Command("Get-NetAdapter", ifIndex="x"), "ParameterArgumentTransformationError,Get-NetAdapter", "InvalidData"),
    ],
)
def test_pipelines_that_fail(shell: PowerShell, command: Command, error_id: str, category: str) -> None:
    """A terminating error ends the pipeline as Failed, and the session goes on."""
    with pytest.raises(PowerShellError) as caught:
        shell.run(command)
    assert (caught.value.error_id, caught.value.category, caught.value.terminated) == (error_id, category, True)
    assert shell.run(Command("Get-Number", 1)) == [0]


def test_all_streams(shell: PowerShell) -> None:
    """Warnings, verbose, debug, information and progress are kept apart from the output."""
    result = shell.run(Command("Write-Everything", Verbose=True, Debug=True))
    assert result == ["done"]
    assert (result.warnings, result.verbose, result.debug) == (["careful"], ["in detail"], ["deeper"])
    assert (result.information, result.progress) == (["for your information"], ["Working: half"])


def test_big_objects(shell: PowerShell) -> None:
    """An object of megabytes comes in over a hundred fragments, and one goes there in as many."""
    (text,) = shell.run(Command("Get-Big", 3000))
    assert len(text) == 3000 * 1024 and text.endswith("0123456789abcde\n")
    assert shell.run(Command("Join-Input"), input=["ä" * 500_000, "b"]) == ["ä" * 500_000 + ",b"]


def test_pipeline_input(shell: PowerShell) -> None:
    """Objects go into the first command one by one."""
    assert shell.run(Command("Join-Input"), input=[1, "two", 2.5, None]) == ["1,two,2.5,None"]


sendable = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=20)
    | st.floats(allow_nan=False) | st.uuids() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=sendable)
def test_values_make_the_round_trip(value: object, shell: PowerShell) -> None:
    """A value sent as a parameter comes back as it was, through two independent writers and readers."""
    assert shell.run(Command("Write-Output", InputObject=[value]), quiet=True) == [value]


def test_a_batch(shell: PowerShell) -> None:
    """Many questions go together; an error of one does not keep the others from their answers."""
    questions = [Command("Get-Number", 2), Command("Get-NetAdapter", Name="no"), Command("Get-Number", 1)]
    answers = shell.batch(questions, check=False)
    assert answers == [[0, 1], [], [0]] and answers[1].errors[0].target == "no"
    with pytest.raises(PowerShellError, match="Stop-Here"):
        shell.batch([Command("Stop-Here"), Command("Get-Number", 2)])
    assert shell.batch([]) == []


def test_from_many_threads(shell: PowerShell) -> None:
    """A guard that watches and a test that acts may use one shell."""
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda count: shell.run(Command("Get-Number", count)), range(18)))
    assert answers == [[*range(count)] for count in range(18)]


def test_a_command_that_takes_too_long_is_stopped(shell: PowerShell) -> None:
    """A hanging cmdlet costs its deadline; it is stopped there, and the session goes on as it was."""
    before = shell.session.open_channel()  # another channel, so that a lost session would show
    with pytest.raises(CommandTimeout, match=r"Wait-Long.*did not end in 0\.2 s.*it was stopped"):
        shell.run(Command("Wait-Long"), timeout_s=0.2)
    assert shell.run(Command("Get-Number", 1)) == [0]
    before.close()


def test_a_batch_that_takes_too_long(shell: PowerShell) -> None:
    """All that still runs or waits is stopped with it."""
    with pytest.raises(CommandTimeout, match="it was stopped"):
        shell.batch([Command("Get-Number", 1), Command("Wait-Long"), Command("Get-Number", 2)], timeout_s=0.3)
    assert shell.run(Command("Get-Number", 1)) == [0]


def test_a_command_that_does_not_stop(session: SshSession) -> None:
    """When the stop is not answered either, the PowerShell session is thrown away and the next call has a new one."""
    shell = PowerShell(session, "pwsh", stop_timeout_s=0.3)
    with pytest.raises(CommandTimeout, match="thrown away"):
        shell.run(Command("Wait-Stubborn"), timeout_s=0.2)
    assert shell.run(Command("Get-Number", 1)) == [0]
    shell.close()


def test_a_defect_of_the_far_end_is_told(shell: PowerShell) -> None:
    """A crash inside the virtual machine reaches the test as an error with its traceback, never as silence."""
    with pytest.raises(PowerShellError, match="a defect of the model") as caught:
        shell.run(Command("Test-Defect"))
    assert caught.value.error_id == "VirtualBenchDefect"


def test_the_companion_module(session: SshSession, machine: SshMachine) -> None:
    """Functions of an uploaded module exist after Import-Module, and again in every session opened later."""
    (machine.root / "hil").mkdir(exist_ok=True)
    module = machine.root / "hil/Hil.psm1"
    module.write_text("function Get-HilClock {\n  [CmdletBinding()] param()\n}\n")
    assert not upload(session, module, r"C:\hil\Hil.psm1")
    shell = PowerShell(session, "pwsh")
    with pytest.raises(PowerShellError, match="Get-HilClock"):
        shell.run(Command("Get-HilClock"))
    shell.on_open(Command("Import-Module", Name=r"C:\hil\Hil.psm1"))
    assert shell.run(Command("Get-HilClock"))[0]["UtcNow"].tzinfo is UTC
    shell.close()
    assert shell.run(Command("Get-HilClock"))[0]["UtcNow"]
    with pytest.raises(PowerShellError) as caught:
        shell.run(Command("Import-Module", Name=r"C:\nothing.psm1"))
    assert caught.value.error_id == "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
    shell.close()


def test_versions(session: SshSession) -> None:
    """The far end says which PowerShell it is."""
    for far_end, version in (("pwsh", "7."), ("powershell", "5.1.")):
        shell = PowerShell(session, far_end)  # type: ignore[arg-type]
        assert shell.version.startswith(version)
        shell.close()


def test_commands_stand_on_the_journal(session: SshSession) -> None:
    """Each command is a span on the timeline, as a person would type it; polling stays off it."""
    seen: list[Record] = []
    journal = Journal()
    journal.listen(seen.append)
    shell = PowerShell(session, "pwsh", journal)
    shell.run(Command("Get-NetAdapter", IncludeHidden=True, Name="Ethernet") | Command("Select-Object", First=1))
    shell.run(Command("Get-Number"), quiet=True)
    assert {record["what"] for record in seen} == {
        "Get-NetAdapter -IncludeHidden -Name 'Ethernet' | Select-Object -First 1"
    }
    shell.close()


def test_powershell_7_is_not_there() -> None:
    """A machine without PowerShell 7 is told as that, with both ways out."""
    with SshMachine(far_end="powershell") as machine, SshSession(machine.ssh) as session:
        with pytest.raises(BenchError, match=r"install PowerShell 7 .* or set machine.shell to powershell"):
            PowerShell(session, "pwsh").run(Command("Get-Number"))
        shell = PowerShell(session, "powershell")
        assert shell.run(Command("Get-Number", 2)) == [0, 1]
        shell.close()


def test_power_lost_during_a_command(fresh_machine: SshMachine) -> None:
    """The message names the command that ran; after the reboot the same object works again, hooks included."""
    with SshSession(fresh_machine.ssh) as session:
        shell = PowerShell(session, "pwsh")
        shell.on_open(Command("Set-Variable", Name="ErrorActionPreference", Value="SilentlyContinue"))
        threading.Timer(0.3, lambda: fresh_machine.tell("reset")).start()
        deadline = Deadline(5)
        with pytest.raises(ConnectionLost, match="Wait-Long 30"):
            shell.run(Command("Wait-Long", 30.0), timeout_s=60)
        assert not deadline.expired
        with pytest.raises(ConnectionLost):
            shell.run(Command("Get-Number"))
        fresh_machine.tell("listen_again")
        session.reconnect(5)
        assert shell.run(Command("Get-NetAdapter", Name="no")) == []
        shell.close()


def test_asleep_during_a_command(fresh_machine: SshMachine) -> None:
    """A machine that sleeps says nothing: the pulse ends the wait, and closing afterwards is quick."""
    with SshSession(fresh_machine.ssh.model_copy(update={"keepalive_s": 0.2})) as session:
        shell = PowerShell(session, "pwsh")
        shell.run(Command("Get-Number"))
        fresh_machine.tell("stall")
        deadline = Deadline(4)
        with pytest.raises(ConnectionLost, match=r"Get-Number.*asleep"):
            shell.run(Command("Get-Number"), timeout_s=30)
        shell.close()
        assert not deadline.expired


def test_a_short_sleep_during_a_command(fresh_machine: SshMachine) -> None:
    """A machine that wakes in time answers as if nothing had been."""
    with SshSession(fresh_machine.ssh) as session:
        shell = PowerShell(session, "pwsh")
        shell.run(Command("Get-Number"))
        fresh_machine.tell("stall")
        threading.Timer(0.4, lambda: fresh_machine.tell("resume")).start()
        assert shell.run(Command("Get-Number", 3)) == [0, 1, 2]
        shell.close()


def test_closing_in_order_leaves_nothing(session: SshSession) -> None:
    """Pipelines, pool and channel are closed, so that no PowerShell process stays on the machine."""
    for _ in range(12):  # more than the sessions of a connection
        shell = PowerShell(session, "pwsh")
        assert shell.run(Command("Get-Number", 1)) == [0]
        shell.close()
        shell.close()
