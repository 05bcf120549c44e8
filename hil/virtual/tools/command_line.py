"""How Windows takes a command line apart: variables and carets as cmd.exe has them, quotes as the C runtime does.

Sources: Microsoft Learn, "cmd" (treatment of quotes by /c), "Parsing C command-line arguments".
"""

from __future__ import annotations

_OPERATORS = "&|<>"
_MARK = "\0"
"""Before an operator that cmd.exe would act on."""


def split(line: str) -> list[str]:
    """The words of a line. An operator of cmd.exe outside quotes is a word of its own; see :func:`is_operator`."""
    words: list[str] = []
    word, quoted, begun, place = "", False, False, 0
    while place < len(line):
        char = line[place]
        if char == "\\":
            count = len(line) - len(line[place:].lstrip("\\")) - place
            place += count
            if line[place : place + 1] == '"':
                word, begun = word + "\\" * (count // 2), True
                if count % 2:
                    word, place = word + '"', place + 1
            else:
                word, begun = word + "\\" * count, True
            continue
        if char == '"':
            if quoted and line[place + 1 : place + 2] == '"':
                word, place = word + '"', place + 1
            else:
                quoted, begun = not quoted, True
        elif char in " \t" and not quoted:
            words, word, begun = words + ([word] if begun else []), "", False
        elif char == "^" and not quoted:
            place += 1
            word, begun = word + line[place : place + 1], True
        elif char in _OPERATORS and not quoted:
            words, word, begun = [*words, *([word] if begun else []), _MARK + char], "", False
        else:
            word, begun = word + char, True
        place += 1
    return words + ([word] if begun else [])


def is_operator(word: str) -> bool:
    return word.startswith(_MARK)
