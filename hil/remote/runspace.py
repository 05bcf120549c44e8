"""One runspace pool in a PowerShell at the other end of a channel: the protocol, without threads of its own.

psrpcore opens the pool and keeps its state; pipelines, which are many, are written and read by our own CLIXML modules.
Rules obeyed (openssh-psrp.md, 2.1): one ``Data`` in flight until its ack, stderr drained, pipelines closed before the
pool. To save ways there and back, ``Close`` and the ``Command`` of the next pipeline go out together when a pipeline
has ended, and their acks are read when the next one runs.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import paramiko
import psrpcore
from psrpcore.types import PSInvocationState, PSRPMessageType, RunspacePoolState

from hil.clock import Deadline
from hil.errors import BenchError
from hil.remote import clixml
from hil.remote.framing import (
    POOL,
    Defragmenter,
    Element,
    FramingError,
    LineReader,
    Message,
    client_message,
    data_element,
    fragments,
    one_fragment,
    parse_element,
    plain_element,
)

FRAGMENT_BYTES = 32 * 1024
_FIRST_OBJECT_ID = 1000
"""Beyond those of the few messages that psrpcore sends for the pool."""
_SLICE_S = 0.25
_ERROR_LINE = b"__NamedPipeError__:"
"""pwsh -sshs folds its error text into stdout with this before it."""
_FINAL = (PSInvocationState.Completed, PSInvocationState.Failed, PSInvocationState.Stopped)


class RunspaceEnded(Exception):
    """The far end closed the channel, or said what is not the protocol; the text has what it wrote to stderr."""


@dataclass
class Job:
    """A pipeline on its way, and what came back for it until its state was final."""

    creation: bytes
    """Data of its CREATE_PIPELINE message."""
    input: Sequence[bytes] = ()
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    state: PSInvocationState = PSInvocationState.NotStarted
    reason: Any = None
    """ErrorRecord of a pipeline that failed."""
    messages: list[tuple[PSRPMessageType, Any]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.state in _FINAL


class Runspace:
    """Not thread-safe. Every method may raise RunspaceEnded, TimeoutError, and what paramiko raises."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._lines, self._fragments = LineReader(), Defragmenter()
        self._pool = psrpcore.ClientRunspacePool()
        self._awaited: set[tuple[str, uuid.UUID]] = set()
        self._jobs: dict[uuid.UUID, Job] = {}
        self._next_id = uuid.uuid4()
        self._sent_ids = itertools.count(_FIRST_OBJECT_ID)
        self._received_ids = itertools.count(1)
        self.stderr = bytearray()

    def open(self, deadline: Deadline) -> None:
        """Open the pool, and announce the first pipeline."""
        self._pool.open()
        while (payload := self._pool.data_to_send(FRAGMENT_BYTES)) is not None:
            self._send_data(POOL, payload.data, deadline)
        self._pump(lambda: self._pool.state != RunspacePoolState.Opening, deadline)
        if self._pool.state != RunspacePoolState.Opened:
            raise RunspaceEnded(f"the runspace pool is {self._pool.state.name}: {self.complaint()}")
        self._announce()

    @property
    def version(self) -> str:
        """PSVersion of the far end, as it told us at the start."""
        table = self._pool.application_private_data.get("PSVersionTable") or {}
        return str(table.get("PSVersion", ""))

    def run(self, jobs: Sequence[Job], deadline: Deadline) -> None:
        """Start all of them in order and wait until each has ended."""
        first, *others = jobs
        first.id = self._next_id
        for job in jobs:
            self._jobs[job.id] = job
        for job in others:
            self._expect("CommandAck", job.id)
        if others:
            self._write(b"".join(plain_element("Command", job.id) for job in others))
        for job in jobs:
            self._wait("CommandAck", job.id, deadline)
            self._start(job, deadline)
        self._pump(lambda: all(job.ended for job in jobs), deadline)
        self._finish(jobs)

    def stop(self, jobs: Sequence[Job], deadline: Deadline) -> None:
        """Stop what still runs and wait until the far end says that it has; the runspace is usable again then."""
        for job in jobs:
            if job.state == PSInvocationState.Running:
                self._expect("SignalAck", job.id)
                self._write(plain_element("Signal", job.id))
        self._pump(lambda: all(job.state != PSInvocationState.Running for job in jobs) and not self._awaited, deadline)
        self._finish(jobs)

    def close(self, deadline: Deadline) -> None:
        """Close the announced pipeline, then the pool."""
        if self._pool.state == RunspacePoolState.Opened:
            self._close([self._next_id])
            self._wait("CloseAck", self._next_id, deadline)
            self._close([POOL])
            self._wait("CloseAck", POOL, deadline)
        self._channel.close()

    def complaint(self) -> str:
        """What the far end wrote to stderr, for messages."""
        text = bytes(self.stderr).decode("utf-8", "replace").replace("#< CLIXML", "").strip()
        return text[-500:] or "it wrote nothing to stderr"

    # sending

    def _announce(self) -> None:
        self._next_id = uuid.uuid4()
        self._expect("CommandAck", self._next_id)
        self._write(plain_element("Command", self._next_id))

    def _finish(self, jobs: Sequence[Job]) -> None:
        """Close what has ended and announce the next pipeline, in one write; nobody waits for the acks now."""
        self._close([job.id for job in jobs], announce=True)
        for job in jobs:
            self._jobs.pop(job.id, None)

    def _close(self, targets: Sequence[uuid.UUID], *, announce: bool = False) -> None:
        for target in targets:
            self._expect("CloseAck", target)
        line = b"".join(plain_element("Close", target) for target in targets)
        if announce:
            self._next_id = uuid.uuid4()
            self._expect("CommandAck", self._next_id)
            line += plain_element("Command", self._next_id)
        self._write(line)

    def _start(self, job: Job, deadline: Deadline) -> None:
        job.state = PSInvocationState.Running
        self._send(PSRPMessageType.CreatePipeline, job.id, job.creation, deadline)
        for item in job.input:
            self._send(PSRPMessageType.PipelineInput, job.id, item, deadline)
        if job.input:
            self._send(PSRPMessageType.EndOfPipelineInput, job.id, b"", deadline)

    def _send(self, kind: PSRPMessageType, target: uuid.UUID, data: bytes, deadline: Deadline) -> None:
        raw = client_message(kind.value, self._pool.runspace_pool_id, target, data)
        for fragment in fragments(raw, next(self._sent_ids), FRAGMENT_BYTES):
            self._send_data(target, fragment, deadline)

    def _send_data(self, target: uuid.UUID, data: bytes, deadline: Deadline) -> None:
        self._expect("DataAck", target)
        self._write(data_element(target, data))
        self._wait("DataAck", target, deadline)

    def _write(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:  # a PowerShell that ended at once is met here or by the next read
            self._drain_stderr()
            raise RunspaceEnded(f"PowerShell closed the channel; {self.complaint()}") from error

    # receiving

    def _expect(self, tag: str, target: uuid.UUID) -> None:
        self._awaited.add((tag, target))

    def _wait(self, tag: str, target: uuid.UUID, deadline: Deadline) -> None:
        self._pump(lambda: (tag, target) not in self._awaited, deadline)

    def _pump(self, done: Callable[[], bool], deadline: Deadline) -> None:
        """Read until ``done``. Raises TimeoutError at the deadline, RunspaceEnded when the far end closes."""
        while not done():
            if deadline.expired:
                raise TimeoutError
            self._channel.settimeout(max(0.001, min(_SLICE_S, deadline.remaining_s)))
            try:
                data = self._channel.recv(1 << 20)
            except TimeoutError:
                continue
            finally:
                self._drain_stderr()
            if not data:
                raise RunspaceEnded(f"PowerShell closed the channel; {self.complaint()}")
            for line in self._lines.feed(data):
                if line:
                    self._line(line)

    def _drain_stderr(self) -> None:
        while self._channel.recv_stderr_ready() and (data := self._channel.recv_stderr(1 << 20)):
            self.stderr = (self.stderr + data)[-65536:]

    def _line(self, line: bytes) -> None:
        if line.startswith(_ERROR_LINE):
            self.stderr += line.removeprefix(_ERROR_LINE) + b"\n"
            return
        try:
            element = parse_element(line)
            if element.tag == "Data":
                self._on_data(element)
            else:
                self._awaited.discard((element.tag, element.target))
        except (FramingError, ValueError) as error:
            raise RunspaceEnded(f"{error}; {self.complaint()}") from error

    def _on_data(self, element: Element) -> None:
        for message in self._fragments.feed(element.data):
            if message.pipeline == POOL:
                self._on_pool_message(message)
            elif message.pipeline in self._jobs:
                self._on_job_message(self._jobs[message.pipeline], message)

    def _on_pool_message(self, message: Message) -> None:
        data = one_fragment(message.raw, next(self._received_ids))
        payload = psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None)
        self._pool.receive_data(payload)
        while self._pool.next_event() is not None:
            continue
        if self._pool.state == RunspacePoolState.Broken:
            raise RunspaceEnded(f"the runspace pool broke: {self.complaint()}")

    def _on_job_message(self, job: Job, message: Message) -> None:
        kind = PSRPMessageType(message.kind)
        value: Any = clixml.read(message.data) if message.data else None
        if kind == PSRPMessageType.PipelineState:
            job.state = PSInvocationState(value["PipelineState"])
            job.reason = value.get("ExceptionAsErrorRecord")
        else:
            job.messages.append((kind, value))


def no_pool(far_end: str, why: str, where: str) -> BenchError:
    """The message for a PowerShell that does not start."""
    hint = (
        "install PowerShell 7 on the machine, or set machine.shell to powershell"
        if far_end == "pwsh"
        else "see whether Windows PowerShell 5.1 starts on the machine and may compile (Add-Type)"
    )
    return BenchError(f"a PowerShell session ({far_end})", seen=why, where=where, next_step=hint)
