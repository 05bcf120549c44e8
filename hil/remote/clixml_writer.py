"""Writes what a client sends in CLIXML: values of parameters, pipeline input, and the message that creates a pipeline.

psrpcore writes them too, in several times the time; it still writes the messages that open the pool. Sources: MS-PSRP
2.2.5 (values), 2.2.2.10 (CREATE_PIPELINE), 2.2.3.11 and 2.2.3.12 (PowerShell pipeline and command).
"""

from __future__ import annotations

import base64
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import PurePath
from xml.sax.saxutils import escape

from hil.remote.objects import PSEnum, PSObject

Call = tuple[str, Sequence[tuple[str | None, object]]]
"""A command's name and its arguments; an argument without name goes by position."""

_UNSAFE = re.compile("_(?=[xX])|[\x00-\x1f\x7f-\x9f\ud800-\udfff\U00010000-\U0010ffff]")
_LIST = '<TN RefId="0"><T>System.Collections.ArrayList</T><T>System.Object</T></TN>'
_NO_MERGE = (
    "<I32>0</I32><TN RefId=\"1\"><T>System.Management.Automation.Runspaces.PipelineResultTypes</T><T>System.Enum</T>"
    "<T>System.ValueType</T><T>System.Object</T></TN><ToString>None</ToString>"
)
_MERGES = ("ToResult", "PreviousResults", "Error", "Warning", "Verbose", "Debug", "Information")
_BEFORE = (
    '<Obj RefId="0"><MS><B N="NoInput">{no_input}</B>'
    '<Obj N="ApartmentState" RefId="1"><TN RefId="2"><T>System.Threading.ApartmentState</T><T>System.Enum</T>'
    "<T>System.ValueType</T><T>System.Object</T></TN><ToString>Unknown</ToString><I32>2</I32></Obj>"
    '<Obj N="RemoteStreamOptions" RefId="2"><TN RefId="3"><T>System.Management.Automation.RemoteStreamOptions</T>'
    "<T>System.Enum</T><T>System.ValueType</T><T>System.Object</T></TN><ToString>0</ToString><I32>0</I32></Obj>"
    '<B N="AddToHistory">false</B><Obj N="HostInfo" RefId="3"><MS><B N="_isHostNull">true</B>'
    '<B N="_isHostUINull">true</B><B N="_isHostRawUINull">true</B><B N="_useRunspaceHost">true</B></MS></Obj>'
    '<Obj N="PowerShell" RefId="4"><MS><Obj N="Cmds" RefId="5">' + _LIST + "<LST>"
)  # fmt: skip
_AFTER = (
    '</LST></Obj><B N="IsNested">false</B><Nil N="History" /><B N="RedirectShellErrorOutputPipe">true</B></MS></Obj>'
    '<B N="IsNested">false</B></MS></Obj>'
)


def create_pipeline(calls: Sequence[Call], *, no_input: bool) -> bytes:
    """The data of a CREATE_PIPELINE message for commands joined by pipes; nothing is merged, there is no host."""
    writer = Writer(first_reference=6)
    before = _BEFORE.format(no_input=str(no_input).lower())
    return (before + "".join(writer.command(*call) for call in calls) + _AFTER).encode()


def serialize(value: object) -> bytes:
    """One value as the data of a PIPELINE_INPUT message."""
    return Writer().value(value).encode()


def encode_text(text: str) -> str:
    """Text of an element or attribute; _xHHHH_ stands for the UTF-16 units that XML cannot hold."""
    return escape(_UNSAFE.sub(_code, text), {'"': "&quot;"})


def _code(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"_x{units[at : at + 4]}_" for at in range(0, len(units), 4))


class Writer:
    """Writes one message; references count within it."""

    def __init__(self, first_reference: int = 0) -> None:
        self._reference = first_reference
        self._merge_reference: int | None = None

    def value(self, value: object, name: str | None = None) -> str:
        """Raises TypeError for what PowerShell would not get as what it is."""
        attribute = "" if name is None else f' N="{encode_text(name)}"'
        if value is None:
            return f"<Nil{attribute} />"
        simple = _simple(value)
        if simple is not None:
            tag, content = simple
            return f"<{tag}{attribute}>{content}</{tag}>"
        return f'<Obj{attribute} RefId="{self._next()}">{self._content(value)}</Obj>'

    def command(self, name: str, arguments: Sequence[tuple[str | None, object]]) -> str:
        given = "".join(
            f'<Obj RefId="{self._next()}"><MS>{self.value(key, "N")}{self.value(value, "V")}</MS></Obj>'
            for key, value in arguments
        )
        return (
            f'<Obj RefId="{self._next()}"><MS><S N="Cmd">{encode_text(name)}</S>'
            f'<Obj N="Args" RefId="{self._next()}"><TNRef RefId="0" /><LST>{given}</LST></Obj>'
            f'<B N="IsScript">false</B><Nil N="UseLocalScope" />{self._merges()}</MS></Obj>'
        )

    def _merges(self) -> str:
        """PipelineResultTypes.None for every stream: the object once in a message, then references to it."""
        if self._merge_reference is None:
            self._merge_reference = self._next()
            first = f'<Obj N="MergeMyResult" RefId="{self._merge_reference}">{_NO_MERGE}</Obj>'
        else:
            first = f'<Ref N="MergeMyResult" RefId="{self._merge_reference}" />'
        return first + "".join(f'<Ref N="Merge{name}" RefId="{self._merge_reference}" />' for name in _MERGES)

    def _content(self, value: object) -> str:
        if isinstance(value, PSObject):
            names = [f"<T>{encode_text('Deserialized.' + name)}</T>" for name in value.type_names]
            types = f'<TN RefId="{self._next()}">{"".join(names)}</TN>' if names else ""
            shown = f"<ToString>{encode_text(value.text)}</ToString>" if value.text else ""
            members = "".join(self.value(item, name) for name, item in value.properties.items())
            return f"{types}{shown}<MS>{members}</MS>"
        if isinstance(value, Mapping):
            types = f'<TN RefId="{self._next()}"><T>System.Collections.Hashtable</T><T>System.Object</T></TN>'
            pairs = (f"<En>{self.value(key, 'Key')}{self.value(item, 'Value')}</En>" for key, item in value.items())
            return f"{types}<DCT>{''.join(pairs)}</DCT>"
        if isinstance(value, list | tuple | set | frozenset):
            types = f'<TN RefId="{self._next()}"><T>System.Object[]</T><T>System.Array</T><T>System.Object</T></TN>'
            return f"{types}<LST>{''.join(map(self.value, value))}</LST>"
        raise TypeError(f"PowerShell has no type for {value!r}")

    def _next(self) -> int:
        self._reference += 1
        return self._reference


def _simple(value: object) -> tuple[str, str] | None:
    if isinstance(value, bool):
        return "B", "true" if value else "false"
    if isinstance(value, PSEnum):
        return "S", encode_text(value.text)
    if isinstance(value, int):
        return ("I32" if -(2**31) <= value < 2**31 else "I64" if value < 2**63 else "U64"), str(int(value))
    if isinstance(value, str | PurePath):
        return "S", encode_text(str(value))
    if isinstance(value, float):
        finite = repr(float(value)) if math.isfinite(value) else "NaN" if math.isnan(value) else "INF"
        return "Db", "-INF" if value == -math.inf else finite
    if isinstance(value, bytes | bytearray):
        return "BA", base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return "DT", value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        sign, span = ("-", -value) if value < timedelta(0) else ("", value)
        return "TS", f"{sign}P{span.days}DT{span.seconds}.{span.microseconds:06d}S"
    if isinstance(value, uuid.UUID):
        return "G", str(value)
    return ("D", str(value)) if isinstance(value, Decimal) else None
