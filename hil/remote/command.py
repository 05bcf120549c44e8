"""Commands and pipelines as a caller writes them."""

from __future__ import annotations

from hil.remote.clixml_writer import Call


class Command:
    """A cmdlet and its arguments: ``Command("Get-NetAdapter", Name="Ethernet 2", Physical=True)``.

    Values are sent as objects, never as text, so there is nothing to quote. True alone is a switch that is given.
    """

    def __init__(self, name: str, /, *arguments: object, **parameters: object) -> None:
        self.name, self.arguments, self.parameters = name, arguments, parameters

    @property
    def commands(self) -> tuple[Command, ...]:
        return (self,)

    def __or__(self, other: Command | Pipeline) -> Pipeline:
        return Pipeline((*self.commands, *other.commands))

    def __str__(self) -> str:
        """As a person would type it; for messages only."""
        given = [repr(value) for value in self.arguments]
        given += [f"-{name}" if value is True else f"-{name} {value!r}" for name, value in self.parameters.items()]
        return " ".join([self.name, *given])

    @property
    def call(self) -> Call:
        return self.name, [*((None, value) for value in self.arguments), *self.parameters.items()]


class Pipeline:
    """Commands joined by pipes."""

    def __init__(self, commands: tuple[Command, ...]) -> None:
        self.commands = commands

    def __or__(self, other: Command | Pipeline) -> Pipeline:
        return Pipeline((*self.commands, *other.commands))

    def __str__(self) -> str:
        return " | ".join(map(str, self.commands))
