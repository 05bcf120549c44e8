"""Reading bundles: what was written comes back, and what somebody else made of it is refused with one sentence."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.repro.reading import Bundle
from hil.results.bundle import MANIFEST, MOST_FILE_BYTES, Manifest, write_bundle

ABOUT = Manifest(
    hil="1", run="r", test="t.py::test", seed=1, verdict="failed", cause="c", headline="h", testbed="bench"
)
CONTENTS = {"journal.jsonl": b"{}\n" * 100, "package/nic.inf": b"[Version]"}


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("good") / "good.hil.zip", ABOUT, CONTENTS)


def rewritten(good: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The bundle with its entries changed, in a zip that is in order."""
    with zipfile.ZipFile(good) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return target


def listed(entries: dict[str, bytes], name: str, data: bytes, size: int | None = None) -> None:
    """Put an entry there that the manifest vouches for."""
    from hashlib import sha256

    entries[name] = data
    about = json.loads(entries[MANIFEST])
    about["files"][name] = {"sha256": sha256(data).hexdigest(), "size_bytes": len(data) if size is None else size}
    entries[MANIFEST] = json.dumps(about).encode()


def refused(path: Path, place: Path) -> str:
    with pytest.raises(UsageError) as error:
        Bundle(path).unpack(place / "unpacked")
    assert error.value.where == str(path) and error.value.next_step
    return error.value.seen


NAMES = st.text("abcXYZ0189._-[]", min_size=1, max_size=12).filter(lambda name: name[0] in "abcXYZ0189")


@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=2000), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_comes_back(tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]) -> None:
    """Every file is there as it was: a bundle is worth something after years only if nothing was lost on the way in."""
    contents = {name: data for name, data in contents.items() if not any(o.startswith(f"{name}/") for o in contents)}
    place = tmp_path_factory.mktemp("any")
    bundle = Bundle(write_bundle(place / "x.hil.zip", ABOUT, contents))
    folder = bundle.unpack(place / "unpacked")
    assert {name: (folder / name).read_bytes() for name in bundle.manifest.files} == contents
    assert bundle.manifest.test == ABOUT.test


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "a/../../evil", "C:evil", "a\\..\\evil", "..", "a//b", "~/x", ".hidden", "a/"]
)
def test_names_stay_in_the_folder(name: str, good: Path, tmp_path: Path) -> None:
    """A name that leads out of the folder is refused: a bundle from a stranger must not write where it likes."""
    path = rewritten(good, tmp_path / "x.zip", lambda entries: listed(entries, name, b"evil"))
    assert "an entry named" in refused(path, tmp_path)
    assert not (tmp_path / "unpacked").exists()


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda entries: entries.pop(MANIFEST), "KeyError"),
        (lambda entries: entries.update({MANIFEST: b"{"}), "Invalid JSON"),
        (lambda entries: entries.update({MANIFEST: b"[]"}), "manifest.json"),
        (lambda entries: entries.update({MANIFEST: b"\xff\xfe"}), "manifest.json"),
        (lambda entries: entries.update({MANIFEST: b'{"format": 2}'}), "manifest.json: format"),
        (lambda entries: entries.update({MANIFEST: b"[" * 100_000}), "manifest.json"),
        (lambda entries: entries.update({"more": b""}), "entries and manifest differ: more"),
        (lambda entries: entries.pop("journal.jsonl"), "entries and manifest differ: journal.jsonl"),
        (lambda entries: entries.update({"journal.jsonl": b"[]\n" * 100}), "its hash differs"),
        (lambda entries: listed(entries, "journal.jsonl", b"x" * 1000, 10), "longer than the 10 bytes"),
        (lambda entries: listed(entries, "bomb", bytes(MOST_FILE_BYTES + 1)), "bomb: "),
        (lambda entries: [listed(entries, f"bomb{n}", bytes(MOST_FILE_BYTES)) for n in range(3)], "unpack to more"),
        (lambda entries: [listed(entries, f"n{n}", b"") for n in range(501)], "504 entries"),
    ],
)
def test_hostile_content(change: Callable[[dict[str, bytes]], None], seen: str, good: Path, tmp_path: Path) -> None:
    """Whatever is wrong is told in one sentence that names it, and nothing of it is used."""
    assert seen in refused(rewritten(good, tmp_path / "x.zip", change), tmp_path)


def test_entries_twice(good: Path, tmp_path: Path) -> None:
    """Two entries of one name are refused: one reader would check the first, another use the second."""
    path = tmp_path / "x.zip"
    path.write_bytes(good.read_bytes())
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("journal.jsonl", b"other")
    assert "1 of them twice" in refused(path, tmp_path)


def test_a_size_that_lies(good: Path, tmp_path: Path) -> None:
    """An entry that says it is small and unpacks to more is stopped where it should end."""
    data, honest = good.read_bytes(), len(CONTENTS["journal.jsonl"]).to_bytes(4, "little")
    path = tmp_path / "x.zip"
    path.write_bytes(data.replace(honest, (10).to_bytes(4, "little")))
    assert path.read_bytes() != data
    refused(path, tmp_path)


def test_no_zip_at_all(tmp_path: Path) -> None:
    """No file, a folder, an empty file and a text are told as what they are."""
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    for name in ("none", "empty", "text", "."):
        assert refused(tmp_path / name, tmp_path)


@given(place=st.integers(0, 10_000), length=st.integers(0, 40), noise=st.binary(min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_damage(
    tmp_path_factory: pytest.TempPathFactory, good: Path, place: int, length: int, noise: bytes
) -> None:
    """A bundle with any bytes changed or missing is read as it was, or refused: never half, never with a traceback."""
    data = good.read_bytes()
    place %= len(data)
    folder = tmp_path_factory.mktemp("damage")
    path = folder / "x.zip"
    path.write_bytes(data[:place] + noise + data[place + length :])
    try:
        bundle = Bundle(path)
        unpacked = bundle.unpack(folder / "unpacked")
    except UsageError:
        return
    assert {name: (unpacked / name).read_bytes() for name in bundle.manifest.files} == CONTENTS


def test_too_large_is_left_out(tmp_path: Path) -> None:
    """A dump of gigabytes stays in the report; the bundle says so and holds the rest."""
    dump = tmp_path / "MEMORY.DMP"
    with dump.open("wb") as file:
        file.truncate(MOST_FILE_BYTES + 1)
    written = write_bundle(tmp_path / "x.hil.zip", ABOUT, {"MEMORY.DMP": dump, "journal.jsonl": b"{}\n"})
    manifest = Bundle(written).manifest
    assert list(manifest.files) == ["journal.jsonl"]
    assert str(MOST_FILE_BYTES + 1) in manifest.left_out["MEMORY.DMP"]


def test_all_or_nothing(tmp_path: Path) -> None:
    """A bundle that cannot be finished is not there at all."""
    with pytest.raises(OSError, match="gone"):
        write_bundle(tmp_path / "b" / "x.hil.zip", ABOUT, {"a": b"1", "gone": tmp_path / "gone"})
    assert [*(tmp_path / "b").iterdir()] == []
