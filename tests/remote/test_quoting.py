"""Command lines arrive in a Windows program as the arguments that were meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.remote.quoting import join


def parse(line: str) -> list[str]:
    """The documented rules of the C runtime for all arguments but the first ("Parsing C++ command-line arguments").

    Backslashes are literal unless a quote follows: 2n of them and a quote are n backslashes and a delimiter, 2n+1 are n
    backslashes and a literal quote. Blanks part arguments outside quotes; "" inside quotes is a literal quote.
    """
    args: list[str] = []
    current, started, quoted, at = "", False, False, 0
    while at < len(line):
        sign = line[at]
        if sign == "\\":
            end = at
            while end < len(line) and line[end] == "\\":
                end += 1
            count, started = end - at, True
            if end < len(line) and line[end] == '"':
                current += "\\" * (count // 2)
                if count % 2:
                    current += '"'
                    end += 1
            else:
                current += "\\" * count
            at = end
            continue
        if sign == '"':
            started = True
            if quoted and line[at + 1 : at + 2] == '"':
                current += '"'
                at += 1
            else:
                quoted = not quoted
        elif sign in " \t" and not quoted:
            if started:
                args.append(current)
            current, started = "", False
        else:
            current, started = current + sign, True
        at += 1
    return [*args, current] if started else args


def test_the_parser_knows_the_published_examples() -> None:
    """The reference parser of this file agrees with the table in Microsoft's documentation; else it proves nothing."""
    assert parse(r'"a b c" d e') == ["a b c", "d", "e"]
    assert parse(r'"ab\"c" "\\" d') == ['ab"c', "\\", "d"]
    assert parse(r'a\\\b d"e f"g h') == [r"a\\\b", "de fg", "h"]
    assert parse(r'a\\\"b c d') == [r"a\"b", "c", "d"]
    assert parse(r'a\\\\"b c" d e') == [r"a\\b c", "d", "e"]


safe_text = st.text(st.characters(exclude_characters="\0\r\n%&|<>^()!", exclude_categories=["Cs"]))
no_quotes = st.text(st.characters(exclude_characters='\0\r\n%"', exclude_categories=["Cs"]))


@given(st.lists(safe_text | no_quotes | st.text('\\" ab')))
def test_every_argument_survives(args: list[str]) -> None:
    """Any arguments arrive unchanged: a path with blanks or a trailing backslash must not become another path."""
    assert parse(join(args)) == args


@given(no_quotes.filter(lambda text: set("&|<>^()!") & set(text)))
def test_signs_of_cmd_are_inside_quotes(arg: str) -> None:
    """cmd.exe between sshd and the program never sees an operator: a file named a&b must not start b."""
    line = join([arg])
    outside = "".join(line.split('"')[::2])
    assert not set("&|<>^()!") & set(outside)


@pytest.mark.parametrize("arg", ["%PATH%", "line\nend", "nul\0", 'a" & calc & "', '"(x)"'])
def test_what_cannot_be_said_safely_is_refused(arg: str) -> None:
    """An argument that cmd would change or act upon is refused with a way out, not sent and hoped for."""
    with pytest.raises(UsageError, match="PowerShell"):
        join(["program", arg])


def test_plain_lines_stay_readable() -> None:
    """What needs no quotes gets none, since these lines stand in logs that people read."""
    assert join(["pnputil", "/add-driver", r"C:\hil\a.inf", "/install"]) == r"pnputil /add-driver C:\hil\a.inf /install"
