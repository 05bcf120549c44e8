"""Testbed files: what is right loads, and what is wrong is shown with its line and what was wanted there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hil.errors import UsageError
from hil.instruments import family_named
from hil.testbed.load import load, schema
from hil.testbed.model import Testbed

TESTBEDS = Path(__file__).parents[2] / "testbeds"
GOOD = """\
name: desk
machine:
  ssh:
    host: 192.0.2.1
    user: hil
    key_file: key
    host_key: ssh-ed25519 AAAA
adapter:
  hardware_id: PCI\\VEN_8086&DEV_15F3
  link_mbps: 1000
  address: 198.18.0.1/24
"""


def refused(tmp_path: Path, text: str, *, must_exist: bool = False) -> str:
    file = tmp_path / "desk.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load(file, must_exist=must_exist)
    assert str(file) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("file", sorted(TESTBEDS.glob("*.yaml")), ids=lambda file: file.name)
def test_examples_load(file: Path) -> None:
    """Each testbed file of the project loads: people start from them, so they must not be wrong themselves."""
    assert load(file, must_exist=False).name == file.stem


@pytest.mark.parametrize("file", sorted(TESTBEDS.glob("*.yaml")), ids=lambda file: file.name)
def test_examples_name_real_families(file: Path) -> None:
    """Instruments of the examples are of families that hil knows, in roles that these can play."""
    for instrument in load(file, must_exist=False).instruments.values():
        assert instrument.role in family_named(instrument.family).roles


def test_there_are_examples() -> None:
    """The four testbeds that the documentation names are there, so the test above did look at something."""
    assert {file.stem for file in TESTBEDS.glob("*.yaml")} >= {
        "virtual", "virtual-10g", "pcie-slot-pdu", "usb-thunderbolt"
    }  # fmt: skip


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """A testbed works from any current folder: a nightly job and a person start from different ones."""
    (tmp_path / "desk.yaml").write_text(GOOD)
    testbed = load(tmp_path / "desk.yaml", must_exist=False)
    assert testbed.machine is not None
    assert testbed.machine.ssh.key_file == tmp_path / "key"


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        ("user: hil", "usr: hil", 5, "machine.ssh.usr: unknown key (did you mean 'user'?)"),
        ("user: hil", "usr: hil", 3, "machine.ssh.user: this key is missing"),
        ("link_mbps: 1000", 'link_mbps: "1000"', 10, "adapter.link_mbps: Input should be a valid integer, seen '1000'"),
        ("link_mbps: 1000", "link_mbps: 0", 10, "adapter.link_mbps: Input should be greater than 0, seen 0"),
        ("link_mbps: 1000", "link_mbps: true", 10, "adapter.link_mbps: Input should be a valid integer, seen True"),
        ("adapter:", "adaptor:", 8, "adaptor: unknown key (did you mean 'adapter'?)"),
        ("machine:", "machine:\n  shell: pwhs", 3, "did you mean 'pwsh'?"),
        ("name: desk", "name: desk\nname: two", 2, 'found duplicate key "name"'),
        ("name: desk", "name: [desk", 2, "expected ',' or ']'"),
        ("name: desk", "name: a/b", 1, "name: String should match pattern"),
        ("name: desk", "name: desk\nvirtual: {}", 3, "machine: a virtual bench brings this itself"),
        ("    user: hil", "    user: hil\n    key_passphrase: {}", 6, "wanted exactly one of env, file, keyring"),
        (
            "name: desk",
            "name: desk\npartner: {kind: local, netns: a, interfce: b, address: c}",
            2,
            "did you mean 'interface'?",
        ),
        ("name: desk", "name: desk\npartner: {kind: lokal}", 2, "did you mean 'local'?"),
        ("name: desk", "name: desk\npartner: {netns: a}", 2, "partner.kind: this key is missing"),
        (
            "name: desk",
            "name: desk\ninstruments: {a: {role: slott, family: f, resource: r}}",
            2,
            "did you mean 'slot'?",
        ),
        (
            "name: desk",
            "name: desk\ninstruments:\n  a: &x {role: slot, family: f, resource: r}\n  b: *x",
            4,
            "instruments.b: the same slot, resource and channel as 'a'",
        ),
        (
            "name: desk",
            'name: desk\ninstruments:\n  a:\n    role: outlet\n    family: f\n    resource: r\n    rest: "off"',
            7,
            "instruments.a.rest: an outlet at rest is on: off would cut the mains",
        ),
    ],
)
def test_a_mistake_is_shown_where_it_stands(tmp_path: Path, old: str, new: str, line: int, wanted: str) -> None:
    """Each mistake names its line, its key and what would be right: nobody should have to read our source for that."""
    message = refused(tmp_path, GOOD.replace(old, new, 1))
    assert wanted in message
    assert f"line {line}:" in message


def test_all_mistakes_are_shown_at_once(tmp_path: Path) -> None:
    """Three mistakes take one try to see, not three."""
    message = refused(tmp_path, GOOD.replace("user:", "usr:").replace("1000", "fast"))
    assert all(part in message for part in ("usr: unknown key", "user: this key is missing", "seen 'fast'"))


@pytest.mark.parametrize(
    "text",
    [
        "    key_passphrase: hunter2",
        "    key_passphrase: {env: [hunter2]}",
        "    key_passphrase: {value: hunter2}",
        "    key_passphrase: hunter2\n    key_passphrase: hunter3",
        "    password: hunter2",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    """Secrets stand in the file by reference only, and one that does not is not copied into logs by the message."""
    message = refused(tmp_path, GOOD.replace("    user: hil", f"    user: hil\n{text}"))
    assert "hunter" not in message


def test_a_missing_file_is_shown_with_its_line(tmp_path: Path) -> None:
    """A key file that is not there is found before the run, at its line, not as a failed logon an hour later."""
    message = refused(tmp_path, GOOD, must_exist=True)
    assert f"line 6: machine.ssh.key_file: no such file or folder: {tmp_path / 'key'}" in message


@pytest.mark.parametrize(
    "content", [b"", b"- 1", b"\xff\xfe\x00", b"a: \x01", b"&a [*a]", b"&a {x: *a}", b"a: !!python/none x"]
)
def test_what_is_no_testbed_is_refused(tmp_path: Path, content: bytes) -> None:
    """Any other file gives the same kind of message, never a traceback."""
    file = tmp_path / "desk.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError):
        load(file, must_exist=False)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A wrong path says which file was looked for."""
    with pytest.raises(UsageError, match=r"gone\.yaml"):
        load(tmp_path / "gone.yaml")


words = st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
keys = st.sampled_from([*Testbed.model_fields, "ssh", "kind", "role", "env"]) | st.text(max_size=5)
trees = st.recursive(
    words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(keys, trees, max_size=6))
def test_any_tree_loads_or_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    """Whatever a person writes, the answer is a testbed or one clear refusal with a line."""
    file = tmp_path / "desk.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML().dump(tree, stream)
    try:
        load(file)
    except UsageError as error:
        assert error.where.startswith(str(file))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_any_text_loads_or_is_refused(tmp_path: Path, text: str) -> None:
    """Not even text that is no YAML gets through to a traceback."""
    file = tmp_path / "desk.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        load(file)


def test_what_is_dumped_loads_again(tmp_path: Path) -> None:
    """A testbed that `hil lab up --json` prints is a testbed file itself."""
    testbed = load(TESTBEDS / "pcie-slot-pdu.yaml", must_exist=False)
    file = tmp_path / "again.yaml"
    file.write_text(json.dumps(testbed.dump()))
    assert load(file, must_exist=False) == testbed


def test_the_schema_names_every_section() -> None:
    """Editors complete and check what the loader accepts."""
    assert set(schema()["properties"]) == set(Testbed.model_fields)
