"""Queries over event records: the part of XPath 1.0 that the event log service takes, and records as XML.

Understood: ``*``, ``*[System[...]]``, ``EventData[Data[@Name='x']='y']``, ``and``, ``or``, parentheses, comparisons of
elements and attributes with numbers and strings, ``timediff(@SystemTime)`` (Microsoft Learn, "Consuming events").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from hil.virtual.windows.event_log import Record, rendered

NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"

Test = Callable[[ElementTree.Element], bool]
_TOKEN = re.compile(r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<number>0x[0-9a-fA-F]+|\d+)|(?P<name>@?[A-Za-z_][\w.]*)"
                    r"|(?P<sign><=|>=|!=|[=<>\[\]()/*]))")  # fmt: skip
_COMPARE: dict[str, Callable[[float | str, float | str], bool]] = {
    "=": lambda left, right: left == right, "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right, ">": lambda left, right: left > right,  # type: ignore[operator]
    "<=": lambda left, right: left <= right, ">=": lambda left, right: left >= right,  # type: ignore[operator]
}  # fmt: skip


def to_xml(record: Record, computer: str, *, namespace: bool = True) -> str:
    """The record as wevtutil and ToXml() give it."""
    guid = f" Guid={quoteattr('{' + str(record.provider_id) + '}')}" if record.provider_id else ""
    stamp = record.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
    data = "".join(f"<Data Name={quoteattr(field.name)}>{escape(rendered(field))}</Data>" for field in record.fields)
    xmlns = f" xmlns='{NAMESPACE}'" if namespace else ""
    return (
        f"<Event{xmlns}><System><Provider Name={quoteattr(record.provider)}{guid}/><EventID>{record.id}</EventID>"
        f"<Version>{record.version}</Version><Level>{record.level}</Level><Task>0</Task><Opcode>0</Opcode>"
        f"<Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime='{stamp}'/>"
        f"<EventRecordID>{record.record_id}</EventRecordID><Correlation/><Execution ProcessID='4' ThreadID='8'/>"
        f"<Channel>{escape(record.channel)}</Channel><Computer>{computer}</Computer>"
        f"<Security UserID='S-1-5-18'/></System><EventData>{data}</EventData></Event>"
    )


def compile_query(xpath: str) -> Callable[[Record], bool]:
    """A predicate on records. Raises ValueError for what is no query, or one that is not understood."""
    test = _Parser(xpath).query()
    return lambda record: test(ElementTree.fromstring(to_xml(record, "", namespace=False)))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, place = text, [], 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise ValueError(f"not an event query: {text!r} at character {place + 1}")
            self._tokens.append(found[0].strip())
            place = found.end()

    def query(self) -> Test:
        head = self._take()
        if head not in ("*", "Event"):
            raise self._bad()
        test = self._predicates()
        if self._tokens:
            raise self._bad()
        return test

    def _predicates(self) -> Test:
        tests: list[Test] = []
        while self._peek() == "[":
            self._take("[")
            tests.append(self._either())
            self._take("]")
        return lambda node: all(test(node) for test in tests)

    def _either(self) -> Test:
        tests = [self._all()]
        while self._peek() == "or":
            self._take()
            tests.append(self._all())
        return lambda node: any(test(node) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._peek() == "and":
            self._take()
            tests.append(self._one())
        return lambda node: all(test(node) for test in tests)

    def _one(self) -> Test:
        if self._peek() == "(":
            self._take()
            test = self._either()
            self._take(")")
            return test
        name = self._take()
        if name == "timediff":
            self._take("(")
            attribute = self._take()
            self._take(")")
            return self._comparison(lambda node: [str(_age_ms(node.get(attribute[1:], "")))])
        if name.startswith("@"):
            return self._comparison(lambda node: [node.get(name[1:], "")])
        inner = self._predicates()
        children = self._path(name, inner)
        return self._comparison(lambda node: [child.text or "" for child in children(node)], children)

    def _path(self, name: str, inner: Test) -> Callable[[ElementTree.Element], list[ElementTree.Element]]:
        def first(node: ElementTree.Element) -> list[ElementTree.Element]:
            return [child for child in node if child.tag == name and inner(child)]

        if self._peek() != "/":
            return first
        self._take("/")
        then = self._path(self._take(), self._predicates())
        return lambda node: [deeper for child in first(node) for deeper in then(child)]

    def _comparison(
        self,
        values: Callable[[ElementTree.Element], list[str]],
        nodes: Callable[[ElementTree.Element], list[ElementTree.Element]] | None = None,
    ) -> Test:
        if self._peek() not in _COMPARE:
            exists = nodes or values
            return lambda node: bool(exists(node))
        compare, literal = _COMPARE[self._take()], self._take()
        if literal[0] in "'\"":
            wanted = literal[1:-1].lower()
            return lambda node: any(compare(value.lower(), wanted) for value in values(node))
        if not literal[0].isdigit():
            raise self._bad()
        number = float(int(literal, 0))
        return lambda node: any(compare(float(value), number) for value in values(node) if _is_number(value))

    def _peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self, wanted: str = "") -> str:
        if not self._tokens or (wanted and self._tokens[0] != wanted):
            raise self._bad()
        return self._tokens.pop(0)

    def _bad(self) -> ValueError:
        return ValueError(f"not an event query that is understood: {self._text!r} before {' '.join(self._tokens)!r}")


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _age_ms(stamp: str) -> int:
    then = datetime.fromisoformat(stamp[:26] + "+00:00")
    return int((datetime.now(UTC) - then).total_seconds() * 1000)
