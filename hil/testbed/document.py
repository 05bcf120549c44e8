"""Reading a YAML 1.2 file into a frozen model: strict types, every mistake shown with its line and what was wanted."""

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
from hil.testbed.model import Secret

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Keys = tuple[str | int, ...]
SECRET_STEP = "write a reference: {env: NAME}, {file: PATH} or {keyring: service/user}"
_MAX_DEPTH = 32
M = TypeVar("M", bound=BaseModel)


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


def read_document(path: Path, model: type[M], what: str) -> tuple[M, Any]:
    """What the file says, and its tree with the lines. ``what`` names the kind of file: "testbed file".

    Raises UsageError with file, line, key, what was wanted and the nearest valid key, for all mistakes at once.
    """
    tree = _parse(path, what)
    try:
        # strict JSON rules: a list becomes a tuple and a string a path, but "22" is no number and true is no 1
        return model.model_validate_json(json.dumps(_plain(tree, path, what)), strict=True), tree
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise refuse(path, what, [_explain(tree, model, one) for one in details]) from None


def refuse(path: Path, what: str, mistakes: Sequence[Mistake]) -> UsageError:
    first, *others = sorted(mistakes, key=lambda mistake: mistake.line)
    seen = "".join(f"\n  {mistake}" for mistake in (first, *others))
    return UsageError(f"a valid {what}", seen=seen, where=f"{path}:{first.line}")


def _parse(path: Path, what: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"a {what} that can be read", seen=str(error), where=str(path)) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"a {what} in UTF-8", seen=str(error), where=str(path)) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        # the library quotes the values of both twins, and one of them may be a secret
        text = (error.problem or "not YAML").split(" with value ")[0]
        raise refuse(path, what, [Mistake(line, (), text)]) from None
    except (YAMLError, ValueError) as error:
        raise UsageError(f"a {what} in YAML", seen=str(error).splitlines()[0], where=str(path)) from error


def _plain(node: Any, path: Path, what: str, depth: int = 0) -> Any:
    """The tree as JSON can hold it; what JSON has no word for becomes a string, and the model says what it wanted."""
    if depth > _MAX_DEPTH:
        raise UsageError(f"a {what} nested at most {_MAX_DEPTH} deep", where=str(path))
    if isinstance(node, Mapping):
        return {str(key): _plain(value, path, what, depth + 1) for key, value in node.items()}
    if isinstance(node, list | tuple | set):
        return [_plain(value, path, what, depth + 1) for value in node]
    if node is None or isinstance(node, bool | int) or (isinstance(node, float) and math.isfinite(node)):
        return node
    return str(node)


def _child(node: Any, key: str | int) -> Any:
    """The key as the file has it, or None: pydantic's trail also holds the names of alternatives."""
    if isinstance(node, Mapping):
        return next((real for real in node if str(real) == str(key)), None)
    return key if isinstance(node, list) and isinstance(key, int) and key < len(node) else None


def locate(tree: Any, trail: Iterable[str | int]) -> tuple[int, Keys, Any]:
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


def _models_at(model: type[BaseModel], trail: Iterable[str | int]) -> list[type[BaseModel]]:
    """The models that describe the section at ``trail``."""
    found = [model]
    for key in trail:
        fields = [model.model_fields[str(key)] for model in found if str(key) in model.model_fields]
        # the name of an instrument or of an alternative is no field: its section is the one already reached
        found = [model for field in fields for model in _models(field.annotation)] if fields else found
    return found


def _explain(tree: Any, model: type[BaseModel], details: ErrorDetails) -> Mistake:
    trail, kind = details["loc"], details["type"]
    line, keys, node = locate(tree, trail)
    if Secret in _models_at(model, trail):
        return Mistake(line, keys, "wanted a secret by reference, never by value", SECRET_STEP)
    if kind == "extra_forbidden":
        valid = sorted({name for model in _models_at(model, trail[:-1]) for name in model.model_fields})
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
