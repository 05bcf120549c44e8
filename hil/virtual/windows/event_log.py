"""The event log: records by channel, numbered, with fields in the order and types of the provider's manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from hil.virtual.windows.event_catalog import CHANNELS, KINDS, OFF_BY_DEFAULT, PROVIDERS

FieldValue = str | int | bool | datetime | UUID

NEVER = datetime(1601, 1, 1, tzinfo=UTC)
_EMPTY: dict[str, FieldValue] = {"String": "", "Boolean": False, "FileTime": NEVER, "Guid": UUID(int=0)}


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    """String, Boolean, Guid, FileTime, Pointer, UInt8 ... Int64, HexInt32, HexInt64"""
    value: FieldValue


@dataclass(frozen=True)
class Record:
    channel: str
    record_id: int
    provider: str
    provider_id: UUID | None
    id: int
    version: int
    level: int
    time: datetime
    fields: tuple[Field, ...]

    @property
    def message(self) -> str:
        text = KINDS[self.provider, self.id].message
        for field in self.fields:
            text = text.replace("{" + field.name + "}", rendered(field))
        return text


def rendered(field: Field) -> str:
    """A field as messages and XML show it."""
    value = field.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, UUID):
        return "{" + str(value) + "}"
    if isinstance(value, int) and field.type in ("Pointer", "HexInt32", "HexInt64"):
        return f"{value:#x}"
    return str(value)


class EventLog:
    """Records survive power cuts, as a log on disk does."""

    def __init__(self, build: int, now: Callable[[], datetime]) -> None:
        self.build, self._now = build, now
        self.channels: dict[str, list[Record]] = {channel: [] for channel in CHANNELS}
        self.enabled = {channel: channel not in OFF_BY_DEFAULT for channel in CHANNELS}
        self._numbers = dict.fromkeys(CHANNELS, 0)

    def add(self, provider: str, event_id: int, /, *, time: datetime | None = None, **fields: FieldValue) -> None:
        """Write one record. Fields that are not given are zero or empty; ``...Length`` fields follow their text.

        ``provider`` may leave out ``Microsoft-Windows-``. A record that this build's manifest lacks, or whose channel
        is off, is not written. Raises KeyError for a record or field that no manifest has.
        """
        provider = provider if provider in PROVIDERS else f"Microsoft-Windows-{provider}"
        kind = KINDS[provider, event_id]
        unknown = set(fields) - {part.partition(":")[0] for part in f"{kind.fields} {kind.older}".split()}
        if unknown:
            raise KeyError(f"{provider} {event_id} has no field {sorted(unknown)}")
        if self.build < kind.first_build or not self.enabled[kind.channel]:
            return
        version, layout = kind.of_build(self.build)
        values = tuple(Field(name, type_, _value(name, type_, fields)) for name, type_ in layout)
        self._numbers[kind.channel] += 1
        self.channels[kind.channel].append(
            Record(
                kind.channel,
                self._numbers[kind.channel],
                provider,
                PROVIDERS[provider],
                event_id,
                version,
                kind.level,
                time or self._now(),
                values,
            )
        )

    def find(self, provider: str, event_id: int) -> Iterator[Record]:
        """Every record of this kind, oldest first."""
        provider = provider if provider in PROVIDERS else f"Microsoft-Windows-{provider}"
        channel = KINDS[provider, event_id].channel
        return (record for record in self.channels[channel] if (record.provider, record.id) == (provider, event_id))

    def clear(self, channel: str) -> None:
        self.channels[channel].clear()


def _value(name: str, type_: str, given: dict[str, FieldValue]) -> FieldValue:
    if name in given:
        return given[name]
    counted = name.removesuffix("Length")
    if name.endswith("Length"):
        text = given.get(counted, given.get(f"{counted}Buffer", ""))
        return len(str(text))
    return _EMPTY.get(type_, 0)
