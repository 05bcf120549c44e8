"""A rule: one question to a package, with its source."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hil.package.finding import Finding, Severity
from hil.package.subject import Subject


class Seen(NamedTuple):
    """One place where a rule is broken."""

    line: int
    """Of the INF, from 1; 0 when ``file`` has no lines."""
    text: str
    file: str = ""
    """Another file than the INF."""


Question = Callable[[Subject], Iterator[Seen]]


@dataclass(frozen=True)
class Rule:
    """``question`` yields each place where the rule is broken."""

    id: str
    severity: Severity
    wanted: str
    next_step: str
    question: Question

    @property
    def summary(self) -> str:
        """First sentence of the docstring."""
        return (inspect.getdoc(self.question) or "").partition("\n")[0]

    @property
    def source(self) -> str:
        """Document and section that the rule stands in; a code of InfVerif's where it has one."""
        found = re.search(r"Source: (.*)", inspect.getdoc(self.question) or "", re.DOTALL)
        return " ".join(found[1].split()) if found else ""

    def findings(self, subject: Subject) -> Iterator[Finding]:
        for seen in dict.fromkeys(self.question(subject)):  # variants share sections
            file = seen.file or subject.inf.name
            yield Finding(self.id, file, seen.line, seen.text, self.severity, self.wanted, self.next_step)


def rule(severity: Severity, wanted: str, next_step: str) -> Callable[[Question], Rule]:
    """Make a rule of a function; the rule is called as the function is, with hyphens."""

    def made(question: Question) -> Rule:
        return Rule(question.__name__.replace("_", "-"), severity, wanted, next_step, question)

    return made


def error(wanted: str, next_step: str) -> Callable[[Question], Rule]:
    return rule(Severity.ERROR, wanted, next_step)


def warning(wanted: str, next_step: str) -> Callable[[Question], Rule]:
    return rule(Severity.WARNING, wanted, next_step)


def note(wanted: str, next_step: str) -> Callable[[Question], Rule]:
    return rule(Severity.NOTE, wanted, next_step)
