"""The PowerShell of the virtual machine, asked by an independent client (pypsrp) and by hand, line by line."""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

import asyncssh
import psrp
import psrpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psrpcore.types import PSInvocationState, RunspacePoolState
from ssh_machine import SshMachine

from hil.virtual.clixml import Writer, serialize
from hil.virtual.powershell import PowerShellHost, PSRecord
from hil.virtual.psrp_server import PsrpServer

POOL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def machine() -> Iterator[SshMachine]:
    with SshMachine() as machine:
        yield machine


def options(machine: SshMachine) -> asyncssh.SSHClientConnectionOptions:
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{machine.port} {machine.host_key}")
    return asyncssh.SSHClientConnectionOptions(
        username="hil", client_keys=[str(machine.key_file)], known_hosts=known, config=None
    )


# the independent client


@pytest.fixture(params=["subsystem", "exec", "stub"])
def pool_of(request: pytest.FixtureRequest, machine: SshMachine) -> Callable[[], Any]:
    """A pool of pypsrp by each of the three ways into PowerShell."""
    where = {"hostname": "127.0.0.1", "port": machine.port, "options": options(machine)}
    ways = {
        "subsystem": lambda: psrp.SSHInfo(**where),
        "exec": lambda: psrp.SSHInfo(executable="pwsh.exe", arguments=["-NoLogo", "-sshs"], **where),
        "stub": lambda: psrp.WinPSSSHInfo(**where),
    }
    return lambda: psrp.AsyncRunspacePool(ways[request.param]())


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def test_pypsrp_gets_objects_and_errors(pool_of: Callable[[], Any]) -> None:
    """An independent client sees objects, all streams and errors: the server speaks the protocol, not a dialect."""

    async def talk() -> None:
        async with pool_of() as pool:
            ask = psrp.AsyncPowerShell(pool)
            ask.add_command("Get-NetAdapter").add_parameter("Name", ["Ethernet 2", "no"])
            (adapter,) = await ask.invoke()
            assert adapter.Name == "Ethernet 2" and adapter.ifIndex == 12 and str(adapter.AdminStatus) == "Up"
            assert adapter.PSTypeNames[0].startswith("Deserialized.Microsoft.Management.Infrastructure.CimInstance#")
            (error,) = ask.streams.error
            assert error.FullyQualifiedErrorId == "CmdletizationQuery_NotFound_Name,Get-NetAdapter"
            assert error.CategoryInfo.Category.name == "ObjectNotFound"
            ask = psrp.AsyncPowerShell(pool)
            ask.add_command("Write-Everything").add_parameters(Verbose=True, Debug=True)
            assert await ask.invoke() == ["done"]
            streams = (ask.streams.warning, ask.streams.verbose, ask.streams.debug)
            assert [str(records[0].Message) for records in streams] == ["careful", "in detail", "deeper"]
            assert ask.streams.information[0].MessageData == "for your information"
            assert ask.streams.progress[0].PercentComplete == 50

    run(talk())


def test_pypsrp_fails_and_stops(pool_of: Callable[[], Any]) -> None:
    """Failed and stopped pipelines have their states and reasons, and the pool goes on."""

    async def talk() -> None:
        async with pool_of() as pool:
            with pytest.raises(psrp.PipelineFailed, match="'Get-Nothing' is not recognized"):
                await psrp.AsyncPowerShell(pool).add_command("Get-Nothing").invoke()
            with pytest.raises(psrp.PipelineFailed, match="no PowerShell language"):
                await psrp.AsyncPowerShell(pool).add_script("1 + 1").invoke()
            long = psrp.AsyncPowerShell(pool).add_command("Wait-Long")
            running = await long.invoke_async()
            await long.stop()
            with pytest.raises(psrp.PipelineStopped):
                await running
            assert await psrp.AsyncPowerShell(pool).add_command("Get-Number").add_argument(2).invoke() == [0, 1]

    run(talk())


def test_pypsrp_sends_input_and_gets_big_objects(pool_of: Callable[[], Any]) -> None:
    """Pipeline input, several statements in one pipeline, and objects over many fragments."""

    async def talk() -> None:
        async with pool_of() as pool:
            assert await psrp.AsyncPowerShell(pool).add_command("Join-Input").invoke([1, "two"]) == ["1,two"]
            (big,) = await psrp.AsyncPowerShell(pool).add_command("Get-Big").add_argument(200).invoke()
            assert len(big) == 200 * 1024
            both = psrp.AsyncPowerShell(pool).add_command("Get-Number").add_argument(1)
            both.add_statement().add_command("Get-Number").add_argument(2)
            assert await both.invoke() == [0, 0, 1]
            assert await pool.get_available_runspaces() == 1

    run(talk())


# line by line


class Wire:
    """A channel to ``pwsh -sshs`` on which the test writes elements itself."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self.process = process
        self.client = psrpcore.ClientRunspacePool()

    def say(self, line: str) -> None:
        self.process.stdin.write(line.encode())

    async def hear(self) -> tuple[str, str]:
        """Tag and GUID of the next element; Data goes into psrpcore's client."""
        line = await asyncio.wait_for(self.process.stdout.readline(), 5)
        assert line.endswith(b"\r\n"), line
        found = re.fullmatch(rb"<(\w+)(?: Stream='Default')? PSGuid='([^']+)'(?: />|>(.*)</Data>)\r\n", line)
        assert found is not None, line
        if found[1] == b"Data":
            data = base64.b64decode(found[3])
            assert len(data) <= 32768
            self.client.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None))
            while self.client.next_event():
                continue
        return found[1].decode(), found[2].decode()

    async def hear_all(self, last: tuple[str, str]) -> list[tuple[str, str]]:
        heard = [await self.hear()]
        while heard[-1] != last:
            heard.append(await self.hear())
        return heard

    def data(self, target: str = POOL) -> str:
        payload = self.client.data_to_send(32768)
        assert payload is not None
        return f"<Data Stream='Default' PSGuid='{target}'>{base64.b64encode(payload.data).decode()}</Data>\r\n"


@asynccontextmanager
async def wire(machine: SshMachine) -> AsyncIterator[Wire]:
    async with asyncssh.connect("127.0.0.1", machine.port, options=options(machine)) as connection:
        process = await connection.create_process("pwsh -sshs -NoLogo", encoding=None)
        opened = Wire(process)
        opened.client.open()
        opened.say(opened.data())
        while opened.client.state != RunspacePoolState.Opened:
            await opened.hear()
        yield opened


def test_every_element_is_acknowledged(machine: SshMachine) -> None:
    """Acks come for each element, also for pipelines that are not known: a client waits for them before it goes on."""

    async def talk() -> None:
        async with wire(machine) as server:
            stranger = str(uuid.uuid4())
            server.say(f"<Data Stream='Default' PSGuid='{stranger}'>AAAA</Data>\n")
            assert await server.hear() == ("DataAck", stranger)
            for tag in ("Close", "Signal"):
                server.say(f"<{tag} PSGuid='{stranger}' />\n")
                assert await server.hear() == (f"{tag}Ack", stranger)
            server.say(f"<Command PSGuid='{stranger}' />\n<Close PSGuid='{stranger}' />\n")
            assert await server.hear_all(("CloseAck", stranger)) == [("CommandAck", stranger), ("CloseAck", stranger)]

    run(talk())


def test_the_life_of_a_pipeline(machine: SshMachine) -> None:
    """Command, Data, output and state, Close, each in its order; two of them share the one runspace in turn."""

    async def talk() -> None:
        async with wire(machine) as server:
            both = [psrpcore.ClientPowerShell(server.client) for _ in range(2)]
            for pipeline in both:
                pipeline.add_command("Get-Number").add_argument(2)
                server.say(f"<Command PSGuid='{pipeline.pipeline_id}' />\n")
                pipeline.start()
                server.say(server.data(str(pipeline.pipeline_id)))
            heard = []
            while any(pipeline.state == PSInvocationState.Running for pipeline in both):
                heard.append(await server.hear())
            first, second = (str(pipeline.pipeline_id) for pipeline in both)
            data = [target for tag, target in heard if tag == "Data"]
            assert data == [first] * 3 + [second] * 3  # two objects and a state each, one pipeline after the other
            for target in (first, second):
                acks = [tag for tag, of in heard if of == target and tag != "Data"]
                assert acks == ["CommandAck", "DataAck"]
            assert all(pipeline.state == PSInvocationState.Completed for pipeline in both)

    run(talk())


def test_the_end_of_a_pool(machine: SshMachine) -> None:
    """The state of the pool is told before the ack, or other clients wait for ever; then the process ends with 0."""

    async def talk() -> None:
        async with wire(machine) as server:
            server.say(f"<Close PSGuid='{POOL}' />\n")
            assert await server.hear_all(("CloseAck", POOL)) == [("Data", POOL), ("CloseAck", POOL)]
            assert server.client.state == RunspacePoolState.Closed
            assert (await server.process.wait()).returncode == 0

    run(talk())


@pytest.mark.parametrize(
    "line",
    [
        "no xml\n",
        "<Odd PSGuid='00000000-0000-0000-0000-000000000000' />\n",
        "<Close />\n",
        "<Close PSGuid='00000000-0000-0000-0000-000000000000' More='x' />\n",
        "<Command PSGuid='not a guid' />\n",
        "<Data PSGuid='00000000-0000-0000-0000-000000000000'>AAAA</Data>\n",
        "<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>***</Data>\n",
        f"<Data Stream='Default' PSGuid='{POOL}'>{base64.b64encode(bytes(50)).decode()}</Data>\n",
        f"<Signal PSGuid='{POOL}' />\n",
    ],
)
def test_breaking_the_protocol_ends_the_process(machine: SshMachine, line: str) -> None:
    """PowerShell ends with exit code 4000 at a fault; a bug in the client must not go unnoticed here either."""

    async def talk() -> None:
        async with wire(machine) as server:
            server.say(line)
            assert (await server.process.wait()).returncode == 4000 & 0xFF  # asyncssh's client keeps eight bits

    run(talk())


@pytest.mark.parametrize("ending", ["\n", ""])
def test_an_empty_line_or_the_end_of_stdin_ends_it(machine: SshMachine, ending: str) -> None:
    """The server ends quietly when nobody speaks to it any more."""

    async def talk() -> None:
        async with wire(machine) as server:
            server.say(ending)
            if not ending:
                server.process.stdin.write_eof()
            assert (await server.process.wait()).returncode == 0

    run(talk())


def honest_lines() -> list[str]:
    """What an honest client sends: the opening of the pool, then a pipeline."""
    client = psrpcore.ClientRunspacePool()
    client.open()
    opening = client.data_to_send(32768)
    client.state = RunspacePoolState.Opened
    asked = psrpcore.ClientPowerShell(client).add_command("Get-Number").add_argument(1)
    asked.start()
    asking = client.data_to_send(32768)
    assert opening is not None and asking is not None
    data = "<Data Stream='Default' PSGuid='{}'>{}</Data>\n"
    return [
        data.format(POOL, base64.b64encode(opening.data).decode()),
        f"<Command PSGuid='{asked.pipeline_id}' />\n",
        data.format(asked.pipeline_id, base64.b64encode(asking.data).decode()),
    ]


@settings(deadline=None)
@given(st.data())
def test_no_bytes_crash_it(data: st.DataObject) -> None:
    """Any bytes, and honest ones with a few changed, end in answers or in exit code 4000, never in a crash."""

    async def talk() -> None:
        bench: Any = None
        ended: list[int] = []
        server = PsrpServer(PowerShellHost(None, bench, (), bytes), lambda _: None, ended.append)
        stream = bytearray("".join(honest_lines()).encode())
        changes = st.tuples(st.integers(0, len(stream) - 1), st.integers(0, 255))
        for at, value in data.draw(st.lists(changes, max_size=4)):
            stream[at] = value
        stream[0:0] = data.draw(st.sampled_from([b"", b"\xff\n", b"<", b"<a b='c'/>\n"]))
        for size in [*data.draw(st.lists(st.integers(1, 4000), max_size=5)), len(stream)]:
            server.feed(bytes(stream[:size]))
            del stream[:size]
            await asyncio.sleep(0)
        server.stop()
        assert ended in ([0], [4000])

    run(talk())


# objects


offsets = st.none() | st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.uuids()
    | st.floats(allow_nan=False) | st.datetimes(datetime(1000, 1, 1), timezones=offsets) | st.timedeltas(),  # noqa: DTZ001
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    | st.dictionaries(st.text(), inner).map(lambda members: PSRecord(("A", "B"), members, "shown")),
    max_leaves=10,
))  # fmt: skip
def test_every_value_has_a_form_that_psrpcore_reads(value: Any) -> None:
    """Whatever a cmdlet puts out arrives in a client that shares no code with the writer."""
    psrpcore.types.deserialize(ElementTree.fromstring(serialize(value)), psrpcore.PSRemotingCrypto())


def test_depth_is_one() -> None:
    """Remoting keeps one level of properties: deeper objects travel as their text, as on Windows."""
    inner = PSRecord(("Inner",), {"x": 1}, "inner text")
    written = Writer().write(PSRecord(("Outer",), {"One": inner, "Many": [inner]}))
    assert written.count("inner text") == 2 and 'N="x"' not in written
