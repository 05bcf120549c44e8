r"""Settings below Ndi\params, whole in themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hil.package.keywords import Keyword
from hil.package.rules.rule import Seen, error, warning
from hil.package.subject import Subject, Variant

_RESERVED = (
    "bundleid", "bustype", "characteristics", "componentid", "description", "deviceinstanceid", "driverdate",
    "driverdesc", "driverversion", "infpath", "infsection", "infsectionext", "*iftype", "installtimestamp",
    "manufacturer", "*mediatype", "netcfginstanceid", "netluidindex", "*physicalmediatype", "provider", "providername",
)  # fmt: skip
_FIELDS = ("paramdesc", "type", "default", "optional", "min", "max", "step", "base", "limittext", "uppercase")
NUMERIC = ("int", "long", "word", "dword")


def settings_of(subject: Subject) -> Iterator[tuple[Variant, Keyword]]:
    """Every setting of every variant."""
    for variant in subject.with_settings:
        for keyword in variant.keywords:
            yield variant, keyword


def field(variant: Variant, keyword: Keyword, name: str) -> tuple[int, str]:
    """Line and text of one value of a setting; the setting's line and nothing when it has none."""
    entry = variant.values.get((rf"ndi\params\{keyword.name.lower()}", name))
    return (entry.number, str(entry.data)) if entry else (keyword.number, "")


@error("a name of your own for each setting", "choose another name; Windows uses this one itself")
def reserved_name(subject: Subject) -> Iterator[Seen]:
    """No setting has a reserved name.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for _, keyword in settings_of(subject):
        if keyword.name.lower() in _RESERVED:
            yield Seen(keyword.number, keyword.name)


@error("ParamDesc and Type for each setting", "add them; Type is int, long, word, dword, enum or edit")
def setting_incomplete(subject: Subject) -> Iterator[Seen]:
    """Each setting has its text and a type that exists.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for variant, keyword in settings_of(subject):
        kind = field(variant, keyword, "type")
        missing = [name for name in ("ParamDesc", "Type") if not field(variant, keyword, name.lower())[1]]
        if missing:
            yield Seen(keyword.number, f"{keyword.name} lacks {' and '.join(missing)}")
        elif kind[1].lower() not in (*NUMERIC, "enum", "edit"):
            yield Seen(kind[0], f"{keyword.name} has type {kind[1]}")


@warning("a default for each setting that is not optional", "add default, or Optional = 1")
def default_missing(subject: Subject) -> Iterator[Seen]:
    """A required setting has a default.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for variant, keyword in settings_of(subject):
        if not keyword.optional and ("ndi\\params\\" + keyword.name.lower(), "default") not in variant.values:
            yield Seen(keyword.number, keyword.name)


@error("texts (REG_SZ) below Ndi\\params", "write the value with flags 0 and in quotes")
def setting_not_text(subject: Subject) -> Iterator[Seen]:
    r"""All values that describe a setting are texts.

    Source: Specifying Configuration Parameters for the Advanced Properties Page; Enumeration Keywords.
    """
    for variant in subject.with_settings:
        for (subkey, name), entry in variant.values.items():
            described = subkey.startswith("ndi\\params\\") and (name in _FIELDS or subkey.endswith("\\enum"))
            if described and entry.kind != "REG_SZ":
                yield Seen(entry.number, f"{entry.subkey}, {entry.name} is {entry.kind}")


@error("choices for an enum", "add HKR, Ndi\\params\\name\\enum, value, 0, text")
def enum_without_choices(subject: Subject) -> Iterator[Seen]:
    """An enum offers something to choose.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for _, keyword in settings_of(subject):
        if keyword.kind == "enum" and not keyword.choices:
            yield Seen(keyword.number, keyword.name)


@error("a default that is one of the choices", "correct the default, or add the choice")
def default_no_choice(subject: Subject) -> Iterator[Seen]:
    """The default of an enum can be chosen.

    Source: Enumeration Keywords.
    """
    for variant, keyword in settings_of(subject):
        if keyword.kind == "enum" and keyword.choices and keyword.default not in ("", *dict(keyword.choices)):
            offered = ", ".join(value for value, _ in keyword.choices)
            text = f"{keyword.name} has default {keyword.default}, choices {offered}"
            yield Seen(field(variant, keyword, "default")[0], text)


@error("min below max", "correct the range")
def range_impossible(subject: Subject) -> Iterator[Seen]:
    """A number's range is one.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for variant, keyword in settings_of(subject):
        low, high = keyword.minimum, keyword.maximum
        if keyword.kind in NUMERIC and low is not None and high is not None and low > high:
            yield Seen(field(variant, keyword, "min")[0], f"{keyword.name} from {low} to {high}")


@error("a default from min to max", "correct the default or the range")
def default_out_of_range(subject: Subject) -> Iterator[Seen]:
    """The default of a number is within its range.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for variant, keyword in settings_of(subject):
        if keyword.kind in NUMERIC and keyword.default and not replace(keyword, step=None).accepts(keyword.default):
            span = f"{keyword.minimum} to {keyword.maximum}"
            line = field(variant, keyword, "default")[0]
            yield Seen(line, f"{keyword.name} has default {keyword.default}, range {span}")


@warning("a default that min and step lead to", "correct the default, min or step")
def default_off_step(subject: Subject) -> Iterator[Seen]:
    """The default of a number is one of the values that can be set.

    Source: Specifying Configuration Parameters for the Advanced Properties Page, "Step".
    """
    for variant, keyword in settings_of(subject):
        default = keyword.default if keyword.kind in NUMERIC else ""
        if default and replace(keyword, step=None).accepts(default) and not keyword.accepts(default):
            line = field(variant, keyword, "default")[0]
            yield Seen(line, f"{keyword.name} has default {default}, from {keyword.minimum} by {keyword.step}")


RULES = (
    reserved_name, setting_incomplete, default_missing, setting_not_text, enum_without_choices, default_no_choice,
    range_impossible, default_out_of_range, default_off_step,
)  # fmt: skip
