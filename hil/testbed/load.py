"""Reading a testbed file: YAML 1.2, strict types, and every mistake shown with its line and what was wanted there."""

from __future__ import annotations

import difflib
import json
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from hil.errors import UsageError
from hil.testbed.model import Secret, Testbed

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Keys = tuple[str | int, ...]
_SECRET_STEP = "write a reference: {env: NAME}, {file: PATH} or {keyring: service/user}"
_MAX_DEPTH = 32
S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Mistake:
    """One thing wrong in the file, at a line that counts from 1."""

    line: int
    keys: Keys
    text: str
    next_step: str = ""

    def __str__(self) -> str:
        trail = ".".join(str(key) for key in self.keys)
        return f"line {self.line}: {trail + ': ' if trail else ''}{self.text}" + (
            f" ({self.next_step})" if self.next_step else ""
        )


def load(path: Path, *, must_exist: bool = True) -> Testbed:
    """The testbed that the file describes, its relative paths resolved against the file's own folder.

    With ``must_exist`` the files that it names must be there. Raises UsageError with file, line, key, what was wanted
    and the nearest valid key, for all mistakes at once.
    """
    path = path.expanduser()
    tree = _parse(path)
    try:
        # strict JSON rules: a list becomes a tuple and a string a path, but "22" is no number and true is no 1
        testbed = Testbed.model_validate_json(json.dumps(_plain(tree, path)), strict=True)
    except ValidationError as error:
        raise _refuse(path, [_explain(tree, details) for details in error.errors(include_url=False)]) from None
    mistakes = [*_contradictions(tree, testbed)]
    testbed = _resolve(testbed, path.resolve().parent)
    if must_exist:
        mistakes += _missing_files(tree, testbed)
    if mistakes:
        raise _refuse(path, mistakes)
    return testbed


def schema() -> dict[str, Any]:
    """JSON Schema of a testbed file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Testbed.model_json_schema()}


def _refuse(path: Path, mistakes: Sequence[Mistake]) -> UsageError:
    first, *others = sorted(mistakes, key=lambda mistake: mistake.line)
    seen = "".join(f"\n  {mistake}" for mistake in (first, *others))
    return UsageError("a valid testbed file", seen=seen, where=f"{path}:{first.line}")


def _parse(path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("a testbed file that can be read", seen=str(error), where=str(path)) from error
    except UnicodeDecodeError as error:
        raise UsageError("a testbed file in UTF-8", seen=str(error), where=str(path)) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        # the library quotes the values of both twins, and one of them may be a secret
        text = (error.problem or "not YAML").split(" with value ")[0]
        raise _refuse(path, [Mistake(line, (), text)]) from None
    except (YAMLError, ValueError) as error:
        raise UsageError("a testbed file in YAML", seen=str(error).splitlines()[0], where=str(path)) from error


def _plain(node: Any, path: Path, depth: int = 0) -> Any:
    """The tree as JSON can hold it; what JSON has no word for becomes a string, and the model says what it wanted."""
    if depth > _MAX_DEPTH:
        raise UsageError(f"a testbed file nested at most {_MAX_DEPTH} deep", where=str(path))
    if isinstance(node, Mapping):
        return {str(key): _plain(value, path, depth + 1) for key, value in node.items()}
    if isinstance(node, list | tuple | set):
        return [_plain(value, path, depth + 1) for value in node]
    if node is None or isinstance(node, bool | int) or (isinstance(node, float) and math.isfinite(node)):
        return node
    return str(node)


def _child(node: Any, key: str | int) -> Any:
    """The key as the file has it, or None: pydantic's trail also holds the names of alternatives."""
    if isinstance(node, Mapping):
        return next((real for real in node if str(real) == str(key)), None)
    return key if isinstance(node, list) and isinstance(key, int) and key < len(node) else None


def _locate(tree: Any, trail: Iterable[str | int]) -> tuple[int, Keys, Any]:
    """Line (from 1), keys and node of the deepest part of ``trail`` that stands in the file."""
    node, line, keys = tree, 1, list[str | int]()
    for key in trail:
        real = _child(node, key)
        if real is not None:
            lines = getattr(getattr(node, "lc", None), "data", None) or {}
            line = lines[real][0] + 1 if real in lines else line
            node, keys = node[real], [*keys, key]
    return line, tuple(keys), node


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that stand anywhere in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def _models_at(trail: Iterable[str | int]) -> list[type[BaseModel]]:
    """The models that describe the section at ``trail``."""
    found: list[type[BaseModel]] = [Testbed]
    for key in trail:
        fields = [model.model_fields[str(key)] for model in found if str(key) in model.model_fields]
        # the name of an instrument or of an alternative is no field: its section is the one already reached
        found = [model for field in fields for model in _models(field.annotation)] if fields else found
    return found


def _explain(tree: Any, details: ErrorDetails) -> Mistake:
    trail, kind = details["loc"], details["type"]
    line, keys, node = _locate(tree, trail)
    if Secret in _models_at(trail):
        return Mistake(line, keys, "wanted a secret by reference, never by value", _SECRET_STEP)
    if kind == "extra_forbidden":
        valid = sorted({name for model in _models_at(trail[:-1]) for name in model.model_fields})
        nearest = difflib.get_close_matches(str(trail[-1]), valid, n=1)
        step = f"did you mean {nearest[0]!r}?" if nearest else f"valid here: {', '.join(valid)}"
        return Mistake(line, keys, "unknown key", step)
    if kind == "missing":
        return Mistake(line, (*keys, str(trail[-1])), "this key is missing")
    context = details.get("ctx", {})
    if kind == "union_tag_not_found":
        return Mistake(line, (*keys, context["discriminator"].strip("'")), "this key is missing")
    if kind == "union_tag_invalid":
        keys, node = (*keys, context["discriminator"].strip("'")), context["tag"]
    seen = f", seen {node!r}" if isinstance(node, str | int | float | bool) or node is None else ""
    wanted = str(context.get("expected", context.get("expected_tags", "")))
    nearest = difflib.get_close_matches(str(node), wanted.replace("'", "").replace(" or ", ", ").split(", "), n=1)
    return Mistake(line, keys, details["msg"] + seen, f"did you mean {nearest[0]!r}?" if nearest else "")


def _sections(section: BaseModel, trail: Keys = ()) -> Iterator[tuple[Keys, BaseModel]]:
    """The section and all below it, each with its keys in the file."""
    yield trail, section
    for name, value in section:
        if isinstance(value, BaseModel):
            yield from _sections(value, (*trail, name))
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from _sections(inner, (*trail, name, key))


def _contradictions(tree: Any, testbed: Testbed) -> Iterator[Mistake]:
    """What the types alone cannot say."""

    def mistake(trail: Keys, text: str, next_step: str = "") -> Mistake:
        line, _, _ = _locate(tree, trail)
        return Mistake(line, trail, text, next_step)

    for key, described in {"machine": testbed.machine, "adapter": testbed.adapter, "partner": testbed.partner}.items():
        if testbed.virtual is not None and described is not None:
            yield mistake((key,), "a virtual bench brings this itself", "leave out either this section or 'virtual'")
        if testbed.virtual is None and described is None and key != "partner":
            yield mistake((key,), "this key is missing", "or write a section 'virtual'")
    twins: dict[tuple[str, str, str], str] = {}
    for name, one in testbed.instruments.items():
        other = twins.setdefault((one.role, one.resource, one.channel), name)
        if other != name:
            yield mistake(("instruments", name), f"the same {one.role}, resource and channel as {other!r}")
    for trail, section in _sections(testbed):
        if isinstance(section, Secret) and len(section.model_fields_set) != 1:
            yield mistake(trail, "wanted exactly one of env, file, keyring", _SECRET_STEP)


def _resolve(section: S, base: Path) -> S:
    """The same section with each path made absolute."""

    def resolved(value: Any) -> Any:
        if isinstance(value, Path):
            return base / value.expanduser()
        if isinstance(value, dict):
            return {key: resolved(inner) for key, inner in value.items()}
        return _resolve(value, base) if isinstance(value, BaseModel) else value

    return section.model_copy(update={name: resolved(value) for name, value in section if value is not None})


def _missing_files(tree: Any, testbed: Testbed) -> Iterator[Mistake]:
    for trail, section in _sections(testbed):
        for name, value in section:
            if isinstance(value, Path) and name != "state_dir" and not value.exists():
                line, _, _ = _locate(tree, (*trail, name))
                yield Mistake(line, (*trail, name), f"no such file or folder: {value}")
