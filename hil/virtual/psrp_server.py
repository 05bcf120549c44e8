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
import uuid
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from psrpcore import (
    CreatePipelineEvent,
    EndOfPipelineInputEvent,
    GetAvailableRunspacesEvent,
    PipelineInputEvent,
    PSRPCoreError,
    PSRPEvent,
    PSRPPayload,
    ResetRunspaceStateEvent,
    ServerRunspacePool,
    SetMaxRunspacesEvent,
    SetMinRunspacesEvent,
    StreamType,
)
from psrpcore.types import PSRPMessageType, PSVersion, RunspacePoolState

from hil.virtual.clixml import from_remote
from hil.virtual.powershell import PowerShellHost, Runspace
from hil.virtual.psrp_job import Job

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


_FAULTS = (
    ProtocolFault, PSRPCoreError, ElementTree.ParseError, binascii.Error, struct.error,
    ValueError, KeyError, IndexError, AttributeError, TypeError, RecursionError,
)  # fmt: skip
"""Ours first; then what psrpcore lets through when a message is not what it says it is."""


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
        self._write, self._ended, self._ran = write, ended, ran
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
        self._put(f"<{tag} PSGuid='{target}' />".encode())

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

    def finished(self) -> None:
        """A pipeline came to its end."""
        if self._open:
            self._ran()

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
        self._put(start + base64.b64encode(data) + b"</Data>")

    def _put(self, line: bytes) -> None:
        if self._open:
            self._write(line + _EOL)


def _version_table(host: PowerShellHost) -> dict[str, object]:
    edition = "Core" if host.far_end == "pwsh" else "Desktop"
    return {
        "PSVersion": PSVersion(host.version), "PSEdition": edition,
        "OS": f"Microsoft Windows 10.0.{host.windows_build}", "Platform": "Win32NT",
    }  # fmt: skip
