"""Runs a pipeline of cmdlets: commands are found and bound first, then objects stream from one to the next."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hil.virtual.binding import Argument, Bound, bind, bind_input
from hil.virtual.powershell import Call, Cmdlet, CmdletError, Runspace, Streams


@dataclass(frozen=True)
class Invocation:
    """One command as the client sent it."""

    name: str
    arguments: tuple[Argument, ...] = ()
    is_script: bool = False


async def run_statement(
    invocations: Sequence[Invocation], runspace: Runspace, streams: Streams, source: AsyncIterator[object] | None = None
) -> AsyncIterator[object]:
    """Yield what the last command puts out. ``source`` is the client's input, if there is any.

    Raises CmdletError when the pipeline fails: unknown command, wrong arguments, or a terminating error.
    """
    stages = []
    for index, invocation in enumerate(invocations):
        if invocation.is_script:
            raise CmdletError(
                "Scripts cannot run on the virtual machine, which has no PowerShell language: send commands.",
                error_id="ScriptsNotSupported", category="NotImplemented", target=invocation.name, terminating=True,
            )  # fmt: skip
        cmdlet = runspace.find(invocation.name)
        stages.append((cmdlet, bind(cmdlet, invocation.arguments, piped=index > 0 or source is not None)))
    flow = _nothing() if source is None else source
    for cmdlet, bound in stages:
        flow = _run(cmdlet, bound, runspace, streams, flow)
    async for item in flow:
        yield item


async def _nothing() -> AsyncIterator[object]:
    nothing: tuple[object, ...] = ()
    for item in nothing:
        yield item


async def _run(
    cmdlet: Cmdlet, bound: Bound, runspace: Runspace, streams: Streams, source: AsyncIterator[object]
) -> AsyncIterator[object]:
    preferences = {**runspace.preferences, **bound.preferences}
    call = Call(
        cmdlet.name, runspace.host.windows, runspace.host.bench, runspace, source, streams,
        bound.values, bound.parameter_set, preferences,
    )  # fmt: skip
    try:
        values = dict(bound.values)
        if bound.from_pipeline:
            piped = [item async for item in source]
            if not piped:
                return
            values |= bind_input(cmdlet, bound, piped)
            call.bound = values
        if bound.preferences.get("WhatIf") == "Continue":
            return
        async for item in _output_of(cmdlet.function(call, **values)):
            yield item
    except CmdletError as error:
        if error.terminating:
            raise
        call.write_error(error)
    finally:
        call.stopping = True


async def _output_of(result: Any) -> AsyncIterator[object]:
    """Whatever the function returned, as a stream: PowerShell takes lists apart, and nothing else."""
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, AsyncIterator):
        async for item in result:
            yield item
    elif isinstance(result, Iterator | list | tuple):
        for item in result:
            yield item
    elif result is not None:
        yield result
