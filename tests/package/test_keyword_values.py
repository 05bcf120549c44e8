"""Which values of a property a test writes, and which must be refused."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hil.package import Keyword
from hil.package.keywords import harmless

MODES = Keyword("*FlowControl", "Flow Control", "enum", "3", choices=(("0", "Off"), ("1", "Tx"), ("3", "Both")))
RING = Keyword("*ReceiveBuffers", "Receive Buffers", "int", "256", minimum=80, maximum=2048, step=8)
ADDRESS = Keyword("NetworkAddress", "Address", "edit", "", optional=True, limit_text=12)


def test_of_an_enum() -> None:
    """Each choice is tried; the number after the last one, and a word, must be refused."""
    assert MODES.boundary_values() == ("0", "1", "3")
    assert MODES.values_outside() == ("4", "many")


def test_of_a_number() -> None:
    """Both ends and their neighbours are where drivers fail; the default is there too, each once."""
    assert RING.boundary_values() == ("80", "88", "2040", "2048", "256")
    assert RING.values_outside() == ("72", "2056", "81", "many")


def test_of_a_text() -> None:
    """Nobody but the driver knows what a text may be: nothing is tried, and nothing is called wrong."""
    assert ADDRESS.boundary_values() == ADDRESS.values_outside() == ()


def test_of_a_hexadecimal_number() -> None:
    """Values are written in the base that the INF gives: 10 is sixteen there."""
    mask = Keyword("Mask", "Mask", "dword", "f", minimum=0, maximum=0x10, step=1, base=16)
    assert mask.boundary_values() == ("0", "1", "f", "10")
    assert mask.values_outside() == ("11", "many")


def test_a_value_off_the_default() -> None:
    """Half more of a number, within its range and steps; of what stands at its end already, one step less; the other
    choice of a switch. A text, or a range that is not told, is left alone.

    Rings differ from vendor to vendor: a value that suits one is refused by the next, and that is no defect.
    """

    def ring(default: str, low: int | None, high: int | None, step: int = 1, base: int = 10) -> str | None:
        kind = Keyword("*ReceiveBuffers", "", "int", default, minimum=low, maximum=high, step=step, base=base)
        return kind.off_default()

    assert RING.off_default() == "384"
    assert ring("256", 64, 256, 64) == "192"
    assert ring("32", 32, 320, 32) == "64"
    assert ring("20", 0x10, 0x40, 0x10, base=16) == "30"
    assert ring("256", 256, 256) == ring("256", None, 512) == ring("", 0, 512) == ADDRESS.off_default() is None
    assert MODES.off_default() == "0"


def test_which_property_a_test_may_turn() -> None:
    """Receive buffers where the driver offers them; else the next that disturbs nothing; never the speed of the link.

    A driver without receive buffers is as good as another: a test that insists on them would tell nothing of it.
    """
    speed = Keyword("*SpeedDuplex", "Speed", "enum", "0", choices=(("0", "Auto"), ("4", "100 Mbps")))
    fixed = Keyword("*TransmitBuffers", "Transmit Buffers", "int", "64", minimum=64, maximum=64, step=1)
    assert harmless([speed, MODES, RING]) == (RING, MODES)
    assert harmless([speed, fixed, ADDRESS]) == ()


@given(
    low=st.integers(0, 1000), width=st.integers(0, 1000), step=st.one_of(st.none(), st.integers(1, 50)),
    base=st.sampled_from([10, 16]),
)  # fmt: skip
def test_any_range(low: int, width: int, step: int | None, base: int) -> None:
    """Whatever the range: what is tried is accepted, what must be refused is not."""
    keyword = Keyword("X", "X", "int", "", minimum=low, maximum=low + width, step=step, base=base)
    assert all(keyword.accepts(value) for value in keyword.boundary_values())
    assert not any(keyword.accepts(value) for value in keyword.values_outside())
    assert keyword.boundary_values()
    for default in keyword.boundary_values():
        other = replace(keyword, default=default).off_default()
        assert other is None if width < (step or 1) else other != default and keyword.accepts(other or "")
