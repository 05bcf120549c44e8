"""The PowerShell that we send or hand out runs in Windows PowerShell 5.1, and builds no code from strings.

Checked with the tree-sitter grammar: no error in the tree, and nothing in it that 5.1 does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "hil/windows/module/Hil.psm1"
PREPARE = ROOT / "docs/prepare-machine.ps1"
EXPORTED = {
    "Get-HilClock", "Suspend-HilMachine", "Get-HilLoadedImage", "Get-HilResourceUsage", "Get-HilProcessorTime",
    "Get-HilPower", "Invoke-HilBugcheck",
}  # fmt: skip

# learn.microsoft.com, "Differences between Windows PowerShell 5.1 and PowerShell 7.x", and the cmdlets' own pages
NEWER_PARAMETERS = {
    "-parallel", "-throttlelimit", "-ashashtable", "-asarray", "-enumsaslongs", "-noenumerate", "-skipcertificatecheck",
    "-asbytestream", "-nullifier", "-statuscodevariable", "-noproxy", "-form", "-authentication", "-leafbase",
    "-extension", "-emphasis", "-raw:", "-subsystem", "-sshtransport", "-hostname", "-useculture", "-isvalid",
}  # fmt: skip
NEWER_COMMANDS = {
    "get-error", "join-string", "test-json", "convertfrom-markdown", "show-markdown", "get-uptime", "remove-service",
    "start-threadjob", "get-secret", "switch-process",
}  # fmt: skip
NEWER_VARIABLES = {"$iswindows", "$islinux", "$ismacos", "$iscoreclr", "$psstyle", "$errorview"}
CODE_FROM_STRINGS = {"invoke-expression", "iex", "invoke-command", "icm"}


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def text(node: Node) -> str:
    return (node.text or b"").decode("utf-8")


def complaints(source: str) -> list[str]:
    """What is wrong with this script, one line each."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(source.encode("utf-8"))
    return [f"line {node.start_point[0] + 1}: {bad}" for node in nodes(tree.root_node) if (bad := complaint(node))]


def complaint(node: Node) -> str:
    shown, lower = text(node), text(node).lower()
    if node.is_error or node.is_missing:
        return f"no PowerShell 5.1: {shown[:60]!r}"
    if node.type == "pipeline_chain_tail":
        return f"pipeline chain {shown}"
    if node.type == "command_parameter" and lower.split(":")[0] in NEWER_PARAMETERS:
        return f"parameter {shown} is newer than 5.1"
    if node.type == "command_name" and lower in NEWER_COMMANDS:
        return f"{shown} is newer than 5.1"
    if node.type == "command_name" and lower in CODE_FROM_STRINGS:
        return f"{shown} runs code from a string"
    if node.type == "command_invokation_operator":
        return "a command that is named by a value"
    if node.type == "variable" and lower in NEWER_VARIABLES:
        return f"{shown} is newer than 5.1"
    if node.type == "type_name" and lower in {"scriptblock", "powershell", "runspacefactory"}:
        return f"[{shown}] makes code from strings"
    if node.type == "expandable_string_literal" and "`u{" in lower:
        return "`u{} is newer than 5.1"
    return ""


@pytest.mark.parametrize("path", [MODULE, PREPARE], ids=lambda path: path.name)
def test_script_is_for_both_powershells(path: Path) -> None:
    """No parse error, nothing newer than 5.1, no code from strings: half of the lab has no PowerShell 7."""
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "$a = $b ?? 1", "$a ??= 1", "${a}?.Length", "${a}?[0]", "$x = $a ? 1 : 2", "Get-Item a && Get-Item b",
        "Get-Item a || Get-Item b", "1..3 | ForEach-Object -Parallel { $_ }", "$x | ConvertFrom-Json -AsHashtable",
        "$x | ConvertTo-Json -AsArray", "Get-Error", "if ($IsWindows) { 1 }", '"`u{263a}"', "Get-Item a &",
        "Invoke-Expression $x", "iex $x", "& $x 1", ". $x", '[scriptblock]::Create("x")', "function f {", "if (",
        "Split-Path -Path x -LeafBase",
    ],
)  # fmt: skip
def test_the_check_catches(source: str) -> None:
    """Each thing that 5.1 lacks, or that makes code from strings, is caught: the check can fail."""
    assert complaints(source)


def test_module_exports_what_is_used() -> None:
    """The functions are there under the names that Python calls, each with help that says what it puts out."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(MODULE.read_bytes())
    functions = [node for node in nodes(tree.root_node) if node.type == "function_statement"]
    names = {text(child) for node in functions for child in node.children if child.type == "function_name"}
    assert names == EXPORTED
    for node in functions:
        assert ".SYNOPSIS" in text(node) and ".OUTPUTS" in text(node)


def test_scripts_are_plain_ascii() -> None:
    """5.1 reads a file without a byte order mark in the machine's code page: only ASCII is the same in all of them."""
    for path in (MODULE, PREPARE):
        assert path.read_bytes().isascii(), path
