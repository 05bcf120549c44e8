"""The SCPI parser of the virtual instruments: strict, in long and short form, with the path rule."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hil.virtual.instruments.grammar import Header, ScpiError, boolean, channels, choice, number, units


@pytest.mark.parametrize(
    ("written", "sent", "suffixes"),
    [
        ("SYSTem:ERRor[:NEXT]", "SYST:ERR", ()),
        ("SYSTem:ERRor[:NEXT]", "SYSTEM:ERROR:NEXT", ()),
        ("[ROUTe:]CLOSe", "CLOS", ()),
        ("[ROUTe:]CLOSe", "ROUTE:CLOSE", ()),
        ("NUMeric[:NORMal]:ITEM<n>", "NUM:ITEM7", (7,)),
        ("NUMeric[:NORMal]:ITEM<n>", "NUMERIC:NORMAL:ITEM", (1,)),
        ("*IDN", "*IDN", ()),
    ],
)
def test_headers_in_both_forms(written, sent, suffixes):
    """A header is known by its long and its short form, with optional nodes left out, and numeric suffixes."""
    assert Header(written).match(tuple(sent.split(":"))) == suffixes


@pytest.mark.parametrize("sent", ["SYSTE:ERR", "SYST", "SYST:ERR:NEXT:NEXT", "SYST:ERRO", "SYST2:ERR", "ERR"])
def test_other_forms_are_not_known(sent):
    """Nothing between the short and the long form is accepted: it would fail on the real instrument."""
    assert Header("SYSTem:ERRor[:NEXT]").match(tuple(sent.split(":"))) is None


def test_path_rule():
    """After ``;`` a header goes on where the last one was; ``:`` starts at the root; common commands change nothing."""
    found = [unit.words for unit in units(":NUM:NORM:NUM 3;ITEM1 U,1;*OPC?;ITEM2 I,1;:RATE?")]
    assert found == [
        ("NUM", "NORM", "NUM"), ("NUM", "NORM", "ITEM1"), ("*OPC",), ("NUM", "NORM", "ITEM2"), ("RATE",),
    ]  # fmt: skip


def test_arguments_keep_lists_and_strings_together():
    """Commas and semicolons inside parentheses and quotes separate nothing."""
    (unit,) = units("""CONF:DEF 'a;b,c',(@1,3:5), 2""")
    assert unit.arguments == ("'a;b,c'", "(@1,3:5)", "2")


@pytest.mark.parametrize(
    ("text", "expected"), [("(@101)", (101,)), ("(@1,3:5)", (1, 3, 4, 5)), ("(@ 1 , 2)", (1, 2)), ("(@7:7)", (7,))]
)
def test_channel_lists(text, expected):
    """Single channels and ranges, in the order they were named."""
    assert channels(text) == expected


@pytest.mark.parametrize(
    ("parse", "text", "error"),
    [
        (channels, "(1)", -171), (channels, "(@)", -171), (channels, "(@1,)", -171), (channels, "(@5:1)", -222),
        (channels, "(@0:99999999)", -222), (number, "5 V", -131), (number, "abc", -104), (number, "1.2.3", -121),
        (boolean, "MAYBE", -104), (lambda text: choice(text, "ASCii"), "ASC1", -224),
    ],
)  # fmt: skip
def test_bad_arguments_have_their_numbers(parse, text, error):
    """Each mistake is reported under the number that SCPI gives it."""
    with pytest.raises(ScpiError) as found:
        parse(text)
    assert found.value.number == error


@pytest.mark.parametrize("text", ["100MS", "0.1 s", "1e-1", ".1S"])
def test_units(text):
    """Suffixes in any letter case, with and without a space."""
    assert number(text, {"S": 1.0, "MS": 1e-3}) == pytest.approx(0.1)


@example("(((;;;")
@example('"')
@example(":;:")
@given(st.text(alphabet=st.sampled_from("AB:;*?,()@\"' 019.E-\x00é")))
def test_any_bytes_are_parsed_or_refused(message):
    """Whatever arrives, the parser answers with units or with a SCPI error, never with another exception."""
    try:
        for unit in units(message):
            assert unit.words
            Header("SYSTem:ERRor[:NEXT]").match(unit.words)
    except ScpiError as error:
        assert -200 < error.number < -100


@given(st.text())
def test_any_argument_is_read_or_refused(text):
    """The same for arguments."""
    for parse in (channels, number, boolean, lambda text: choice(text, "ASCii", "BINary")):
        try:
            parse(text)
        except ScpiError:
            continue
