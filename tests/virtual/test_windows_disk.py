"""The C: drive and the registry: paths in every spelling, and no way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.virtual.windows.files import Files
from hil.virtual.windows.registry import Registry


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "c")


@pytest.mark.parametrize(
    "spelling",
    [
        r"C:\hil\Tools\x.exe", r"c:\HIL\tools\X.EXE", "C:/hil/tools/x.exe", "/C:/hil/tools/x.exe",
        r"C:\hil\.\tools\..\tools\x.exe", r"%SystemDrive%\hil\tools\x.exe", r"\??\C:\hil\tools\x.exe",
        r"\hil\tools\x.exe",
    ],
)  # fmt: skip
def test_one_file_in_every_spelling(files, spelling):
    """Case, slashes, variables and device prefixes lead to one file, and its own spelling is kept.

    Drivers, SFTP clients and PowerShell each have their own way to write a path.
    """
    files.write(r"C:\hil\Tools\x.exe", b"MZ")
    assert files.read(spelling) == b"MZ"
    assert files.windows_path(files.locate(spelling)) == r"C:\hil\Tools\x.exe"


@pytest.mark.parametrize("path", [r"D:\x", r"\\server\share\x", "Z:/x"])
def test_other_drives_are_not_there(files, path):
    """There is only C:; another drive is a missing file, not a file on this computer.

    A typing error in a path must not reach the host.
    """
    assert not files.exists(path)


@pytest.fixture(scope="module")
def drive(tmp_path_factory) -> Files:
    return Files(tmp_path_factory.mktemp("drive"))


@given(path=st.text(alphabet="./\\CcD:%$ ax", max_size=40))
def test_no_way_out(drive, path):
    """No path leads out of the drive's folder.

    The drive is served to the network.
    """
    try:
        found = drive.locate(path)
    except FileNotFoundError:
        return
    assert found == drive.root or drive.root in found.parents
    assert ".." not in found.parts


def test_registry_is_case_blind():
    """Keys and values are found in any case and under every name of their root; the first spelling stays.

    INF files and PowerShell write the same key differently.
    """
    registry = Registry()
    registry.set(r"HKLM\Software\Hil", "Name", "x")
    for root in ("hklm:", "HKLM:", "HKEY_LOCAL_MACHINE", "Registry::HKEY_LOCAL_MACHINE"):
        path = rf"{root}\SOFTWARE\hil"
        assert registry.get(path, "NAME") == "x"
    assert [key.name for key in registry.key("HKLM").subkeys.values()] == ["Software"]


def test_registry_deletes_whole_keys():
    """A key goes with all below it; a value goes alone.

    An uninstall that leaves half a key breaks the next install.
    """
    registry = Registry()
    registry.set(r"HKLM\a\b\c", "v", 1)
    registry.set(r"HKLM\a\b", "w", [])
    assert registry.delete_value(r"HKLM\a\b", "W")
    assert registry.key(r"HKLM\a\b") is not None
    assert registry.delete_key(r"HKLM\A\B")
    assert registry.key(r"HKLM\a\b\c") is None
    assert not registry.delete_key(r"HKLM\a\b")
