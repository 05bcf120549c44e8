"""The cmdlet engine of the virtual Windows: typed functions stand for cmdlets.

A cmdlet is a function whose first argument is the :class:`Call` and whose other arguments are its parameters, named as
PowerShell names them and typed as PowerShell types them::

    cmdlets = Module("NetAdapter", cdxml=True)

    @cmdlets.cmdlet("Get-NetAdapter", default_set="ByName")
    def get_netadapter(
        call: Call,
        Name: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias",), set="ByName")] = None,
        IncludeHidden: Switch = False,
    ) -> Iterator[PSRecord]:
        yield PSRecord(("Microsoft.Management...MSFT_NetAdapter",), {"Name": "Ethernet 2", "ifIndex": PSUInt(7)})

It may be a plain function (returning None or a list), a generator, a coroutine or an async generator; what it yields
streams to the next command. :mod:`hil.virtual.binding` binds parameters, :mod:`hil.virtual.pipeline` runs pipelines.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class PSRecord:
    """An output object: .NET type names (most derived first), properties in order, and what ToString() gives.

    Values: None, str, bool, int, float, datetime (aware), timedelta, UUID, bytes, PSEnum, list or tuple, dict,
    PSRecord, and psrpcore's typed integers (PSUInt, PSUInt64, PSUInt16, PSByte ...) where PowerShell has that type; a
    bare int is Int32, or Int64 when it does not fit. Remoting keeps one level: a PSRecord inside a PSRecord travels as
    its ``text``.
    """

    type_names: tuple[str, ...]
    properties: Mapping[str, object]
    text: str = ""


@dataclass(frozen=True)
class PSEnum:
    """A .NET enumeration value: full type name, integer, and ToString()."""

    type_name: str
    value: int
    text: str


class CmdletError(Exception):
    """Becomes an ErrorRecord with exactly this FullyQualifiedErrorId.

    Give it to ``call.write_error`` and go on, or raise it: the command then ends, and with ``terminating`` the whole
    pipeline (state Failed). ``exception`` is the .NET type of the exception, ``category`` a name of ErrorCategory.
    """

    def __init__(
        self,
        message: str,
        *,
        error_id: str,
        category: str = "NotSpecified",
        target: object = None,
        terminating: bool = False,
        exception: str = "System.Management.Automation.RuntimeException",
    ) -> None:
        super().__init__(message)
        self.message, self.error_id, self.category = message, error_id, category
        self.target, self.terminating, self.exception = target, terminating, exception


@dataclass(frozen=True)
class Param:
    """What a parameter is beyond its name, type and default; for ``Annotated``.

    ``set`` names the parameter set or sets it belongs to (none: all of them). ``pipeline``: ``"value"`` takes each
    input object, ``"property"`` takes each input object's property of that name (or alias). All input is bound before
    the function runs, so type such a parameter as a list; a cmdlet that wants to stream reads ``call.input`` instead.
    ``choices`` is a ValidateSet: the value must be one of them, whatever its case, and arrives spelled as here.
    """

    position: int | None = None
    aliases: tuple[str, ...] = ()
    mandatory: bool = False
    set: str | tuple[str, ...] = ()
    pipeline: Literal["", "value", "property"] = ""
    choices: tuple[str, ...] = ()


class SwitchMark:
    """Marks a bool parameter that is given without a value."""


Switch = Annotated[bool, SwitchMark()]


@dataclass(frozen=True)
class Progress:
    """A progress record; ``percent`` is -1 when unknown."""

    activity: str
    status: str = " "
    percent: int = -1
    completed: bool = False


class Streams(Protocol):
    """Where a pipeline writes what is not output."""

    def error(self, error: CmdletError) -> None: ...
    def warning(self, message: str) -> None: ...
    def verbose(self, message: str) -> None: ...
    def debug(self, message: str) -> None: ...
    def information(self, data: object, source: str) -> None: ...
    def progress(self, progress: Progress) -> None: ...


@dataclass
class Call:
    """One command at work: what it may look at and where it writes.

    ``command`` is the cmdlet's name as defined; ``host`` the Windows model; ``input`` the objects of the command before
    (or of the client); ``bound`` the parameters that were given, by argument name; ``stopping`` turns true when the
    client asks to stop (the coroutine is cancelled as well).
    """

    command: str
    host: Any
    bench: VirtualBench
    runspace: Runspace
    input: AsyncIterator[object]
    streams: Streams
    bound: Mapping[str, object] = field(default_factory=dict)
    parameter_set: str = ""
    preferences: Mapping[str, str] = field(default_factory=dict)
    """Of the common parameters: ``ErrorAction``, ``WarningAction``, ``InformationAction``, ``Verbose``, ``Debug``."""
    stopping: bool = False

    def write_error(self, error: CmdletError) -> None:
        """An error that does not end the command, unless -ErrorAction Stop makes it."""
        action = self.preferences.get("ErrorAction", "Continue")
        if action == "Stop":
            error.terminating = True
            raise error
        if action not in {"SilentlyContinue", "Ignore"}:
            self.streams.error(error)

    def write_warning(self, message: str) -> None:
        if self.preferences.get("WarningAction", "Continue") not in {"SilentlyContinue", "Ignore"}:
            self.streams.warning(message)

    def write_verbose(self, message: str) -> None:
        if self.preferences.get("Verbose") == "Continue":
            self.streams.verbose(message)

    def write_debug(self, message: str) -> None:
        if self.preferences.get("Debug") == "Continue":
            self.streams.debug(message)

    def write_information(self, data: object) -> None:
        """Goes to the client unless -InformationAction Ignore: the record exists even when a console hides it."""
        if self.preferences.get("InformationAction") != "Ignore":
            self.streams.information(data, self.command)

    def write_progress(self, progress: Progress) -> None:
        if self.preferences.get("ProgressAction", "Continue") not in {"SilentlyContinue", "Ignore"}:
            self.streams.progress(progress)


@dataclass(frozen=True)
class Cmdlet:
    """A function that stands for a cmdlet, and what PowerShell knows of it."""

    name: str
    function: Callable[..., Any]
    module: Module
    default_set: str
    should_process: bool
    error_suffix: str
    """What follows the comma in FullyQualifiedErrorIds of binding: the implementing type; of a function, its name."""


class Module:
    """A PowerShell module: a registry of cmdlets.

    ``cdxml``: made of functions over CIM, so that each takes -CimSession, -ThrottleLimit and -AsJob. ``autoload``:
    found without Import-Module; the companion module is not.
    """

    def __init__(self, name: str, *, cdxml: bool = False, autoload: bool = True) -> None:
        self.name, self.cdxml, self.autoload = name, cdxml, autoload
        self.commands: dict[str, Cmdlet] = {}

    def cmdlet(
        self, name: str, *, default_set: str = "", should_process: bool = False, implemented_by: str = ""
    ) -> Callable[[F], F]:
        """Register a function. ``implemented_by`` is the .NET type of a binary cmdlet (part of its error ids);
        ``should_process`` gives it -WhatIf and -Confirm."""

        def register(function: F) -> F:
            self.commands[name.lower()] = Cmdlet(
                name, function, self, default_set, should_process, implemented_by or name
            )
            return function

        return register


@dataclass(frozen=True)
class PowerShellHost:
    """What a PowerShell process on the virtual machine works with.

    ``windows`` is the model that cmdlets get as ``call.host``; ``read_file`` gives the bytes of a path on the virtual
    disk or raises FileNotFoundError (Import-Module reads modules with it); ``version`` is that of the far end.
    """

    windows: Any
    bench: VirtualBench
    modules: tuple[Module, ...]
    read_file: Callable[[str], bytes]
    far_end: Literal["pwsh", "powershell"] = "pwsh"
    windows_build: int = 26100

    @property
    def version(self) -> str:
        """$PSVersionTable.PSVersion."""
        return "7.5.4" if self.far_end == "pwsh" else f"5.1.{self.windows_build}.1"

    @functools.cached_property
    def autoloaded(self) -> Mapping[str, Cmdlet]:
        return {key: found for module in self.modules if module.autoload for key, found in module.commands.items()}


class Runspace:
    """What outlives a pipeline inside one PowerShell process: the functions that Import-Module brought."""

    def __init__(self, host: PowerShellHost) -> None:
        self.host = host
        self.imported: dict[str, Cmdlet] = {}
        self.preferences: dict[str, str] = {}
        """Set by preference variables: ``{"Progress": ...}`` as ``-ProgressAction`` would be, by the same names."""

    def find(self, name: str) -> Cmdlet:
        """The command of that name, in any case, with or without ``Module\\`` before it.

        Raises CmdletError as PowerShell does (about_Command_Precedence; CommandNotFoundException).
        """
        key = name.rpartition("\\")[2].lower()
        found = self.imported.get(key) or self.host.autoloaded.get(key)
        if found is not None:
            return found
        raise CmdletError(
            f"The term '{name}' is not recognized as a name of a cmdlet, function, script file, or executable "
            "program.\n"
            "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
            error_id="CommandNotFoundException", category="ObjectNotFound", target=name, terminating=True,
            exception="System.Management.Automation.CommandNotFoundException",
        )  # fmt: skip
