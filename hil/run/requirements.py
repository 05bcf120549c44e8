"""``@pytest.mark.requires("slot", ...)``: which tests this bench cannot be asked, decided before the run."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hil.results.model import Skip

BENCH_FIXTURES = {
    "bench", "provisioned", "machine", "adapter", "driver", "store", "package", "package_on_disk", "previous_package",
    "packages", "verification", "partner", "traffic", "outlet", "slot", "meter", "button", "cable", "limits",
}  # fmt: skip
OF_THE_DEVICE = {"wake_from_s5", "wake_on_link", "secureon", "wake_patterns"}
"""Capabilities that the adapter has or not, whatever the bench."""
SKIP: pytest.StashKey[Skip] = pytest.StashKey()


def needs_bench(item: pytest.Item) -> bool:
    """Whether this test will touch the bench."""
    return SKIP not in item.stash and not BENCH_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def decide(item: pytest.Item, capabilities: frozenset[str], causes: Mapping[str, str], bench: str) -> None:
    """Note on the item why it must be skipped, if so. ``causes`` tells of single capabilities why they are absent."""
    wanted = {str(name) for marker in item.iter_markers("requires") for name in marker.args}
    absent = tuple(sorted(wanted - capabilities))
    if absent and SKIP not in item.stash:
        why = "; ".join(causes[name] for name in absent if name in causes)
        text = f"bench {bench} has no {', no '.join(absent)}" + (f": {why}" if why else "")
        item.stash[SKIP] = Skip(text, absent, "device" if OF_THE_DEVICE.issuperset(absent) else "bench")


def check(item: pytest.Item) -> None:
    """Skip the test if it was decided so."""
    skip = item.stash.get(SKIP, None)
    if skip is not None:
        pytest.skip(skip.text)
