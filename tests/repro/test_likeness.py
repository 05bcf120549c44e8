"""Which bench a bundle is tried on, and how it differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bundles import make_bundle

from hil.errors import UsageError
from hil.repro.likeness import Origin
from hil.repro.reading import Bundle
from hil.testbed.load import load

REAL = """\
name: bench-7
machine:
  ssh: {host: 192.0.2.1, user: hil, key_file: key, host_key: ssh-ed25519 AAAA}
  shell: powershell
  sleep_states: [S0ix, S4]
adapter: {hardware_id: 'PCI\\VEN_8086&DEV_15F3', link_mbps: 2500, address: 198.18.0.1/24}
instruments:
  slot: {role: slot, family: scpi-relay, resource: TCPIP::192.0.2.2::5025::SOCKET}
  watts: {role: meter, family: yokogawa-wt300, resource: TCPIP::192.0.2.3::INSTR, rest: null}
"""
VIRTUAL = "name: box\nvirtual: {link_mbps: 1000}\n"


def origin(place: Path, text: str, **fields: object) -> Origin:
    testbed, suite = place / "testbed.yaml", place / "test_suite.py"
    testbed.write_text(text)
    (place / "key").touch()
    suite.write_text("def test_it(): pass\n")
    bundle = Bundle(make_bundle(place, testbed, suite, **fields))
    return Origin(bundle, bundle.unpack(place / "unpacked"))


def test_a_virtual_bench_after_a_real_one(tmp_path: Path) -> None:
    """--virtual makes a bench with the link, PowerShell, sleep states and instruments of the real one.

    Its NIC is another one: the package of the bundle stays out, and that is told.
    """
    package = {"content_sha256": "AB", "inf": "e2f.inf", "version": "2.1.1.1"}
    found = origin(tmp_path, REAL, package=package)
    made = load(found.choose(None, virtual=True))
    assert made.virtual is not None
    assert (made.virtual.link_mbps, made.virtual.far_end, made.virtual.sleep) == (2500, "powershell", "s0ix")
    assert set(made.virtual.instruments) == {"slot", "meter"}
    assert found.package_options(made, None) == []
    told = list(found.differences(made, tmp_path / "test_suite.py"))
    assert told == ["the virtual bench's own package in place of e2f.inf 2.1.1.1"]


def test_the_bench_that_is_named_there(tmp_path: Path) -> None:
    """The file that the bundle names is used while it is there; then a virtual bench is made from the bundle itself."""
    real = origin(tmp_path, REAL)
    assert real.choose(None, virtual=False) == tmp_path / "testbed.yaml"
    (tmp_path / "testbed.yaml").unlink()
    with pytest.raises(UsageError, match="--testbed FILE"):
        real.choose(None, virtual=False)
    other = tmp_path / "other"
    other.mkdir()
    box = origin(other, VIRTUAL)
    (other / "testbed.yaml").unlink()
    assert load(box.choose(None, virtual=False)).virtual is not None


def test_another_package_is_refused(tmp_path: Path) -> None:
    """A package that is not the one of the failure is no reproduction: it is refused, whoever names it."""
    sound = {"content_sha256": "AB", "inf": "e2f.inf", "version": "2.1.1.1"}
    found = origin(tmp_path, REAL, package=sound)
    bench = load(tmp_path / "testbed.yaml")
    with pytest.raises(UsageError, match="it is not in the bundle"):
        found.package_options(bench, None)
    with pytest.raises(UsageError, match="a folder with a driver package"):
        found.package_options(bench, tmp_path / "none")


def test_a_like_bench(tmp_path: Path) -> None:
    """What a bench lacks is told; what the test requires must be there."""
    found = origin(tmp_path, REAL, requires=("meter",))
    tree = json.loads((found.folder / "testbed.json").read_text())
    tree["adapter"]["link_mbps"] = 1000
    del tree["instruments"]["slot"]
    path = tmp_path / "like.yaml"
    path.write_text(json.dumps(tree))
    told = list(found.differences(load(path), tmp_path / "test_suite.py"))
    assert told == ["bench-7 has no slot", "link: 1000 Mbit/s, was 2500 Mbit/s"]
    del tree["instruments"]["watts"]
    path.write_text(json.dumps(tree))
    with pytest.raises(UsageError, match="a bench with meter"):
        list(found.differences(load(path), tmp_path / "test_suite.py"))
