"""The server half of PowerShell remoting over a byte stream: what ``pwsh -sshs`` does on its stdin and stdout.

One XML element a line (OutOfProcTransportManager.cs of PowerShell): Data, Command, Close and Signal come in, each is
acknowledged, and Data goes out unasked. psrpcore's ServerRunspacePool knows the messages inside.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import logging
import struct
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from xml.etree import ElementTree

from psrpcore import (
    CreatePipelineEvent,
    EndOfPipelineInputEvent,
    GetAvailableRunspacesEvent,
    PipelineInputEvent,
    PowerShell,
    PSRPCoreError,
    PSRPEvent,
    PSRPPayload,
    ResetRunspaceStateEvent,
    ServerPipeline,
    ServerRunspacePool,
    SetMaxRunspacesEvent,
    SetMinRunspacesEvent,
    StreamType,
)
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    ErrorRecord,
    NETException,
    PipelineState,
    ProgressRecordType,
    PSInvocationState,
    PSRPMessageType,
    PSVersion,
    RunspacePoolState,
)

from hil.virtual.clixml import from_remote, serialize
from hil.virtual.conversion import text, type_name
from hil.virtual.pipeline import Invocation, run_statement
from hil.virtual.powershell import CmdletError, PowerShellHost, Progress, Runspace

log = logging.getLogger(__name__)

POOL = uuid.UUID(int=0)
FRAGMENT_BYTES = 32 * 1024
"""What PowerShell cuts messages into on this transport (openssh-psrp.md, 2.1)."""
PROTOCOL_FAULT_EXIT_CODE = 4000
_EOL = b"\r\n"
_FRAGMENT = struct.Struct(">QQBI")
_CLIENT = 1
"""Destination of a message that the server sends (MS-PSRP 2.2.1)."""


class ProtocolFault(Exception):
    """The client broke the protocol; PowerShell's server process ends with exit code 4000 then."""


_FAULTS = (ProtocolFault, PSRPCoreError, ElementTree.ParseError, binascii.Error, struct.error, ValueError)


class PsrpServer:
    """One PowerShell process in server mode: takes bytes, calls ``write`` with bytes and ``ended`` with its exit code.

    ``ran`` is called after each pipeline that ended and was reported to the client.
    """

    def __init__(
        self,
        host: PowerShellHost,
        write: Callable[[bytes], None],
        ended: Callable[[int], None],
        ran: Callable[[], None] = lambda: None,
    ) -> None:
        self._write, self._ended, self.ran = write, ended, ran
        self.pool = ServerRunspacePool({"PSVersionTable": _version_table(host)})
        self.runspace = Runspace(host)
        self.turn = asyncio.Semaphore(1)
        """The pool's one runspace: pipelines wait for it in the order they came."""
        self._jobs: dict[uuid.UUID, Job] = {}
        self._received = bytearray()
        self._object_ids = itertools.count(1 << 32)
        self._open = True

    def feed(self, data: bytes) -> None:
        """Bytes from the client, cut anywhere."""
        self._received += data
        while self._open and (end := self._received.find(b"\n")) >= 0:
            line = bytes(self._received[:end]).strip(b"\r")
            del self._received[: end + 1]
            try:
                self._element(line)
            except _FAULTS as error:
                log.warning("PSRP client broke the protocol: %s", error)
                self.stop(PROTOCOL_FAULT_EXIT_CODE)

    def stop(self, exit_code: int = 0) -> None:
        """The process ends: stdin closed, the pool was closed, or the client broke the protocol."""
        if self._open:
            self.abandon()
            self._ended(exit_code)

    def abandon(self) -> None:
        """The channel is gone: nobody is left to write to."""
        self._open = False
        for job in self._jobs.values():
            job.cancel()

    # elements

    def _element(self, line: bytes) -> None:
        if not line:
            return self.stop()
        element = ElementTree.fromstring(line)
        wanted = {"Stream", "PSGuid"} if element.tag == "Data" else {"PSGuid"}
        if set(element.attrib) != wanted:
            raise ProtocolFault(f"attributes of {element.tag}: {sorted(element.attrib)}")
        target = uuid.UUID(element.attrib["PSGuid"])
        if element.tag == "Data":
            self._on_data(target, base64.b64decode(element.text or "", validate=True))
        elif element.tag == "Command":
            self._jobs[target] = Job(self, target)
            self._acknowledge("CommandAck", target)
        elif element.tag == "Signal" and target != POOL:
            self._acknowledge("SignalAck", target)
            if target in self._jobs:
                self._jobs[target].cancel()
        elif element.tag == "Close":
            self._on_close(target)
        elif not element.tag.endswith("Ack"):
            raise ProtocolFault(f"IPCUnknownElementReceived: {element.tag}")

    def _on_data(self, target: uuid.UUID, data: bytes) -> None:
        self._acknowledge("DataAck", target)  # also for a pipeline that is not known (any more)
        if target != POOL and target not in self._jobs:
            return
        self.pool.receive_data(PSRPPayload(data, StreamType.default, None if target == POOL else target))
        while (event := self.pool.next_event()) is not None:
            self._on_event(event)
        self.flush()

    def _on_close(self, target: uuid.UUID) -> None:
        if target != POOL:
            job = self._jobs.pop(target, None)
            if job is not None:
                job.close()
            self._acknowledge("CloseAck", target)
            return
        if self.pool.state == RunspacePoolState.Opened:
            for job in list(self._jobs.values()):
                job.close()
            self._jobs.clear()
            self.pool.close()
            self.flush()
        self._acknowledge("CloseAck", POOL)
        self.stop()

    def _acknowledge(self, tag: str, target: uuid.UUID) -> None:
        self._write(f"<{tag} PSGuid='{target}' />".encode() + _EOL)

    # messages

    def _on_event(self, event: PSRPEvent[Any, Any]) -> None:
        if isinstance(event, CreatePipelineEvent):
            self._jobs[event.pipeline_id].start(event.pipeline)
        elif isinstance(event, PipelineInputEvent) and event.pipeline_id in self._jobs:
            self._jobs[event.pipeline_id].input.put_nowait((from_remote(event.data),))
        elif isinstance(event, EndOfPipelineInputEvent) and event.pipeline_id in self._jobs:
            self._jobs[event.pipeline_id].input.put_nowait(None)
        elif isinstance(event, GetAvailableRunspacesEvent):
            self.pool.runspace_availability_response(event.ci, 0 if self.turn.locked() else 1)
        elif isinstance(event, SetMaxRunspacesEvent | SetMinRunspacesEvent | ResetRunspaceStateEvent):
            self.pool.runspace_availability_response(event.ci, True)

    def flush(self) -> None:
        """Send what psrpcore has queued."""
        while (payload := self.pool.data_to_send(FRAGMENT_BYTES)) is not None:
            self._send(payload.data, payload.pipeline_id or POOL, payload.stream_type)

    def send_output(self, target: uuid.UUID, data: bytes) -> None:
        """An output object, already CLIXML, as fragments of a PIPELINE_OUTPUT message."""
        self.flush()
        header = struct.pack("<II", _CLIENT, PSRPMessageType.PipelineOutput.value)
        message = header + self.pool.runspace_pool_id.bytes_le + target.bytes_le + data
        object_id, room = next(self._object_ids), FRAGMENT_BYTES - _FRAGMENT.size
        for number, at in enumerate(range(0, len(message), room)):
            part = message[at : at + room]
            flags = (at == 0) | ((at + room >= len(message)) << 1)
            self._send(_FRAGMENT.pack(object_id, number, flags, len(part)) + part, target)

    def _send(self, data: bytes, target: uuid.UUID, stream: StreamType = StreamType.default) -> None:
        name = b"Default" if stream == StreamType.default else b"PromptResponse"
        start = b"<Data Stream='%s' PSGuid='%s'>" % (name, str(target).encode())
        self._write(start + base64.b64encode(data) + b"</Data>" + _EOL)


def _version_table(host: PowerShellHost) -> dict[str, object]:
    edition = "Core" if host.far_end == "pwsh" else "Desktop"
    return {
        "PSVersion": PSVersion(host.version), "PSEdition": edition,
        "OS": f"Microsoft Windows 10.0.{host.windows_build}", "Platform": "Win32NT",
    }  # fmt: skip


class Job:
    """One pipeline: created by Command, started by its first message, stopped by Signal, gone with Close.

    It is also the streams that its commands write to.
    """

    def __init__(self, server: PsrpServer, pipeline_id: uuid.UUID) -> None:
        self._server, self._id = server, pipeline_id
        self._pipeline = ServerPipeline(server.pool, pipeline_id)
        self.input: asyncio.Queue[tuple[object] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self, powershell: PowerShell) -> None:
        self._pipeline.state = PSInvocationState.Running
        self._task = asyncio.get_running_loop().create_task(self._run(powershell))

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        self.cancel()
        if self._pipeline.state == PSInvocationState.Running:
            self._pipeline.state = PSInvocationState.Stopped
        self._pipeline.close()

    async def _run(self, powershell: PowerShell) -> None:
        try:
            async with self._server.turn:
                for statement in _statements(powershell):
                    source = None if powershell.no_input else self._input()
                    async for item in run_statement(statement, self._server.runspace, self, source):
                        self._server.send_output(self._id, serialize(item))
            self._pipeline.complete()
        except asyncio.CancelledError:
            if self._pipeline.state == PSInvocationState.Running:
                self._pipeline.stop()
        except CmdletError as error:
            self._fail(error)
        except Exception as error:
            log.exception("defect of the virtual bench in %s", powershell.commands)
            text = "".join(traceback.format_exception(error))
            self._fail(CmdletError(text, error_id="VirtualBenchDefect", category="InvalidOperation"))
        self._server.flush()
        self._server.ran()

    async def _input(self) -> AsyncIterator[object]:
        while (item := await self.input.get()) is not None:
            yield item[0]

    def _fail(self, error: CmdletError) -> None:
        state = PipelineState(PipelineState=int(PSInvocationState.Failed))
        state.ExceptionAsErrorRecord = _error_record(error)
        self._pipeline.prepare_message(state)
        self._pipeline.state = PSInvocationState.Failed

    # streams

    def error(self, error: CmdletError) -> None:
        self._pipeline.prepare_message(_error_record(error), message_type=PSRPMessageType.ErrorRecord)
        self._server.flush()

    def warning(self, message: str) -> None:
        self._pipeline.write_warning(message)

    def verbose(self, message: str) -> None:
        self._pipeline.write_verbose(message)

    def debug(self, message: str) -> None:
        self._pipeline.write_debug(message)

    def information(self, data: object, source: str) -> None:
        self._pipeline.write_information(data, source, computer="HIL-VM", user="hil", process_id=1, native_thread_id=1)

    def progress(self, progress: Progress) -> None:
        kind = ProgressRecordType.Completed if progress.completed else ProgressRecordType.Processing
        self._pipeline.write_progress(
            progress.activity, 0, progress.status, percent_complete=progress.percent, record_type=kind
        )


def _statements(powershell: PowerShell) -> Iterator[list[Invocation]]:
    statement: list[Invocation] = []
    for command in powershell.commands:
        arguments = tuple((name and str(name), from_remote(value)) for name, value in command.parameters)
        statement.append(Invocation(str(command.command_text), arguments, bool(command.is_script)))
        if command.end_of_statement:
            yield statement
            statement = []
    if statement:
        yield statement


def _error_record(error: CmdletError) -> ErrorRecord:
    exception = NETException(Message=error.message)
    exception.PSObject.type_names = [error.exception, "System.Exception", "System.Object"]
    record = ErrorRecord(
        Exception=exception,
        CategoryInfo=ErrorCategoryInfo(
            Category=ErrorCategory[error.category],
            Activity=error.error_id.rpartition(",")[2],
            Reason=error.exception.rpartition(".")[2],
            TargetName=text(error.target),
            TargetType="" if error.target is None else type_name(type(error.target)).rpartition(".")[2],
        ),
        TargetObject=text(error.target) or None,
        FullyQualifiedErrorId=error.error_id,
    )
    record.serialize_extended_info = False
    return record
