"""Reading a testbed file: what the types alone cannot say is checked here, and paths are made absolute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from hil.testbed.document import SECRET_STEP, Keys, Mistake, locate, read_document, refuse
from hil.testbed.model import Secret, Testbed

_WHAT = "testbed file"
S = TypeVar("S", bound=BaseModel)


def load(path: Path, *, must_exist: bool = True) -> Testbed:
    """The testbed that the file describes, its relative paths resolved against the file's own folder.

    With ``must_exist`` the files that it names must be there. Raises UsageError with file, line, key, what was wanted
    and the nearest valid key, for all mistakes at once.
    """
    path = path.expanduser()
    testbed, tree = read_document(path, Testbed, _WHAT)
    mistakes = [*_contradictions(tree, testbed)]
    testbed = _resolve(testbed, path.resolve().parent)
    if must_exist:
        mistakes += _missing_files(tree, testbed)
    if mistakes:
        raise refuse(path, _WHAT, mistakes)
    return testbed


def schema() -> dict[str, Any]:
    """JSON Schema of a testbed file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Testbed.model_json_schema()}


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
        line, _, _ = locate(tree, trail)
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
        if one.role == "outlet" and one.rest == "off":
            yield mistake(
                ("instruments", name, "rest"),
                "an outlet at rest is on: off would cut the mains of a Windows that runs",
                "leave this key out, or write null where hil is to leave it as it is",
            )  # fmt: skip
    for trail, section in _sections(testbed):
        if isinstance(section, Secret) and len(section.model_fields_set) != 1:
            yield mistake(trail, "wanted exactly one of env, file, keyring", SECRET_STEP)


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
                line, _, _ = locate(tree, (*trail, name))
                yield Mistake(line, (*trail, name), f"no such file or folder: {value}")
