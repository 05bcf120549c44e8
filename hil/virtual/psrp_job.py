"""One pipeline in a PowerShell of the virtual machine: its task, its input, and the streams its commands write to."""

from __future__ import annotations

import asyncio
import logging
import traceback
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from psrpcore import PowerShell, ServerPipeline, ServerRunspacePool
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    ErrorRecord,
    NETException,
    PipelineState,
    ProgressRecordType,
    PSInvocationState,
    PSRPMessageType,
)

from hil.virtual.clixml import from_remote, serialize
from hil.virtual.conversion import text, type_name
from hil.virtual.pipeline import Invocation, run_statement
from hil.virtual.powershell import CmdletError, Progress, Runspace

log = logging.getLogger(__name__)


class Server(Protocol):
    """What a job needs of the server that it belongs to."""

    pool: ServerRunspacePool
    runspace: Runspace
    turn: asyncio.Semaphore

    def send_output(self, target: uuid.UUID, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def finished(self) -> None: ...


class Job:
    """One pipeline: created by Command, started by its first message, stopped by Signal, gone with Close.

    It is also the streams that its commands write to.
    """

    def __init__(self, server: Server, pipeline_id: uuid.UUID) -> None:
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
        self._server.finished()

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
