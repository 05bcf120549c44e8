"""PowerShell remoting over one SSH channel that is kept open."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import paramiko
from psrpcore.types import ErrorCategory, PSInvocationState, PSRPMessageType

from hil.clock import Deadline
from hil.errors import BenchError
from hil.remote.clixml_writer import create_pipeline, serialize
from hil.remote.command import Command, Pipeline
from hil.remote.errors import CommandTimeout, ConnectionLost, ErrorDetail, PowerShellError
from hil.remote.far_end import START, SUBSYSTEM
from hil.remote.objects import PSEnum, PSObject
from hil.remote.runspace import Job, Runspace, RunspaceEnded, no_pool
from hil.remote.ssh import GRACE_S, SHOWN_CHARACTERS, SshSession

if TYPE_CHECKING:
    from hil.journal import Journal

OPEN_TIMEOUT_S = 60.0
"""Two processes and a compiler start behind the 5.1 stub, on a machine that has just booted."""


_SHOWN_ROWS = 20


class Result(list[Any]):
    """What a pipeline put out (PSObject, or plain values such as str and bool), and what went to its other streams."""

    def __init__(self, output: Iterable[Any] = ()) -> None:
        super().__init__(output)
        self.errors: list[ErrorDetail] = []
        self.failed = False
        """The pipeline ended as Failed: its last error was terminating."""
        self.warnings: list[str] = []
        self.verbose: list[str] = []
        self.debug: list[str] = []
        self.information: list[Any] = []
        self.progress: list[str] = []


class PowerShell:
    """A PowerShell on the machine: one runspace, one channel, opened at the first command and again after a reconnect.

    Thread-safe: one pipeline at a time, as the runspace has it.
    """

    def __init__(
        self,
        session: SshSession,
        far_end: Literal["pwsh", "powershell"],
        journal: Journal | None = None,
        *,
        stop_timeout_s: float = GRACE_S,
    ) -> None:
        """``stop_timeout_s``: what a command that ran too long gets to stop, before its session is thrown away."""
        self.session, self.far_end, self._journal = session, far_end, journal
        self._stop_timeout_s = stop_timeout_s
        self._lock = threading.RLock()
        self._channel: paramiko.Channel | None = None
        self._runspace: Runspace | None = None
        self._on_open: list[Command | Pipeline] = []

    def on_open(self, command: Command | Pipeline) -> None:
        """Run this whenever the runspace is opened, and now if it is open (Import-Module, preferences)."""
        with self._lock:
            if self._runspace is not None:
                self.run(command)
            self._on_open.append(command)

    @property
    def version(self) -> str:
        """PSVersion of the far end, such as 7.5.4; opens the runspace when it is not."""
        with self._lock:
            return self._open(Deadline(OPEN_TIMEOUT_S)).version

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout_s: float = 30.0,
        input: Sequence[object] = (),
        check: bool = True,
        quiet: bool = False,
    ) -> Result:
        """Run one pipeline and return its output.

        ``input`` is piped into the first command. Raises PowerShellError when there was an error record (with
        ``check=False`` they are on the result), CommandTimeout when it had to be stopped, ConnectionLost when the
        machine went away. ``quiet`` keeps it off the journal, for polling. ``timeout_s`` counts from when PowerShell is
        open; opening it, where that is due, has its own limit (OPEN_TIMEOUT_S).
        """
        job = Job(_creation(pipeline, no_input=not input), [serialize(item) for item in input])
        return self._run([pipeline], [job], timeout_s, check, quiet)[0]

    def batch(
        self,
        pipelines: Sequence[Command | Pipeline],
        *,
        timeout_s: float = 30.0,
        check: bool = True,
        quiet: bool = False,
    ) -> list[Result]:
        """Run several pipelines in order, sent together, so that none waits for the answer to the one before.

        All of them run, whatever happens to one; with ``check`` the first error is raised then. ``quiet``: see ``run``.
        """
        if not pipelines:
            return []
        jobs = [Job(_creation(each, no_input=True)) for each in pipelines]
        return self._run(pipelines, jobs, timeout_s, check, quiet)

    def close(self) -> None:
        """Close the pipelines, then the pool, then the channel. Never raises; bounded to a few seconds."""
        with self._lock:
            runspace, channel = self._runspace, self._channel
            self._runspace = self._channel = None
            if runspace is not None and channel is not None and not channel.closed:
                try:
                    with self.session.operation("closing PowerShell", GRACE_S):
                        runspace.close(Deadline(GRACE_S / 2))
                except (BenchError, RunspaceEnded, TimeoutError) as error:
                    self._note(f"PowerShell did not close in order: {error}")
                    channel.close()

    def _run(
        self, pipelines: Sequence[Command | Pipeline], jobs: Sequence[Job], timeout_s: float, check: bool, quiet: bool
    ) -> list[Result]:
        text = "; ".join(map(str, pipelines))
        with self._lock, self._span(text, quiet) as outcome:
            runspace = self._open(Deadline(OPEN_TIMEOUT_S))
            with self._held(text, timeout_s):
                try:
                    runspace.run(jobs, Deadline(timeout_s))
                except TimeoutError:
                    self._stop(runspace, jobs, text, timeout_s)
            results = [_result(job) for job in jobs]
            outcome |= _in_short(results)
        if check:
            for pipeline, result in zip(pipelines, results, strict=True):
                if result.errors:
                    raise PowerShellError(
                        str(pipeline), tuple(result.errors), where=self.session.where, terminated=result.failed
                    )
        return results

    def _stop(self, runspace: Runspace, jobs: Sequence[Job], text: str, timeout_s: float) -> None:
        """Tell it to stop, and raise CommandTimeout."""
        try:
            runspace.stop(jobs, Deadline(self._stop_timeout_s))
            tried = "it was stopped; the PowerShell session goes on"
        except TimeoutError:
            self._discard()
            tried = f"it did not stop in {self._stop_timeout_s:g} s either: the PowerShell session was thrown away"
        raise CommandTimeout(text, seen=f"did not end in {timeout_s:g} s", where=self.session.where, tried=tried)

    @contextmanager
    def _held(self, text: str, timeout_s: float) -> Iterator[None]:
        """What goes wrong inside in another way than by the rules leaves the runspace unknown: it is thrown away."""
        try:
            with self.session.operation(text, timeout_s + self._stop_timeout_s + GRACE_S):
                yield
        except CommandTimeout:
            raise
        except RunspaceEnded as error:
            self._discard()
            if self.session.connected and self.session.alive():
                raise ConnectionLost(f"PowerShell on the machine, while it ran {text}", seen=str(error)) from error
            raise ConnectionLost(
                f"the machine, while it ran {text}", seen=self.session.why_lost(error), where=self.session.where
            ) from error
        except BaseException:
            self._discard()
            raise

    def _open(self, deadline: Deadline) -> Runspace:
        if self._runspace is not None and self._channel is not None and not self._channel.closed:
            return self._runspace
        self._discard()
        with self._held(f"opening PowerShell ({self.far_end})", deadline.timeout_s):
            self._runspace = self._start(deadline)
        try:
            for command in self._on_open:
                self.run(command)
        except BaseException:
            self._discard()  # so that the next command does not meet a runspace that is only half prepared
            raise
        return self._runspace

    def _start(self, deadline: Deadline) -> Runspace:
        """By exec; for PowerShell 7 by the subsystem when exec does not lead to it (ForceCommand, pwsh not in PATH)."""
        complaint = ""
        for subsystem in (False, True) if self.far_end == "pwsh" else (False,):
            self._channel = channel = self.session.open_channel(what="opening PowerShell")
            runspace = Runspace(channel)
            try:
                channel.invoke_subsystem(SUBSYSTEM) if subsystem else channel.exec_command(START[self.far_end])
                runspace.open(deadline)
            except (RunspaceEnded, paramiko.SSHException) as error:
                complaint = complaint or str(error)
                channel.close()
                if not self.session.connected:
                    raise
            except TimeoutError:
                complaint = f"no answer in {deadline.timeout_s:g} s; {runspace.complaint()}"
                break
            else:
                return runspace
        raise no_pool(self.far_end, complaint, self.session.where)

    def _discard(self) -> None:
        channel, self._channel, self._runspace = self._channel, None, None
        if channel is not None:
            with suppress(EOFError, OSError):  # it says goodbye to a connection that may be gone
                channel.close()

    @contextmanager
    def _span(self, text: str, quiet: bool) -> Iterator[dict[str, Any]]:
        if self._journal is None or quiet:
            yield {}
            return
        with self._journal.span("command", text, host=self.session.ssh.host) as outcome:
            yield outcome

    def _note(self, text: str) -> None:
        if self._journal is not None:
            self._journal.event("observation", text)


def _creation(pipeline: Command | Pipeline, *, no_input: bool) -> bytes:
    return create_pipeline([command.call for command in pipeline.commands], no_input=no_input)


_TEXT_STREAMS = {
    PSRPMessageType.WarningRecord: "warnings",
    PSRPMessageType.VerboseRecord: "verbose",
    PSRPMessageType.DebugRecord: "debug",
}


def _result(job: Job) -> Result:
    result = Result()
    for kind, value in job.messages:
        if kind == PSRPMessageType.PipelineOutput:
            result.append(value)
        elif kind == PSRPMessageType.ErrorRecord:
            result.errors.append(_detail(value))
        elif kind in _TEXT_STREAMS:
            getattr(result, _TEXT_STREAMS[kind]).append(_message(value, "InformationalRecord_Message"))
        elif kind == PSRPMessageType.InformationRecord:
            result.information.append(value.get("MessageData"))
        elif kind == PSRPMessageType.ProgressRecord:
            result.progress.append(f"{value.get('Activity')}: {value.get('StatusDescription')}")
    if job.state == PSInvocationState.Failed:
        result.failed = True
        if isinstance(job.reason, PSObject):
            result.errors.append(_detail(job.reason))
    return result


def _in_short(results: Sequence[Result]) -> dict[str, str]:
    """What came back, as far as a person reads it, for the journal."""
    rows = [each.in_words() if isinstance(each, PSObject) else str(each) for result in results for each in result]
    errors = [f"{error.error_id}: {error.message}" for result in results for error in result.errors]
    told = {"output": "\n".join(rows[:_SHOWN_ROWS]), "errors": "\n".join(errors)}
    return {name: text[:SHOWN_CHARACTERS] for name, text in told.items() if text}


def _message(record: Any, name: str) -> str:
    return str(record.get(name) or record) if isinstance(record, PSObject) else str(record)


def _detail(record: PSObject) -> ErrorDetail:
    """An ErrorRecord, which travels with its members flattened (MS-PSRP 2.2.3.15)."""
    exception = record.get("Exception")
    thrown = exception if isinstance(exception, PSObject) else PSObject()
    category = record.get("ErrorCategory_Category", 0)
    target = record.get("TargetObject")
    return ErrorDetail(
        error_id=str(record.get("FullyQualifiedErrorId") or ""),
        category=category.text if isinstance(category, PSEnum) else _CATEGORIES.get(int(str(category)), str(category)),
        message=str(thrown.get("Message") or record.text),
        exception=thrown.type_names[0] if thrown.type_names else "",
        target="" if target is None else str(target),
    )


_CATEGORIES = {category.value: category.name for category in ErrorCategory}
