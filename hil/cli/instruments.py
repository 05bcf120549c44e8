"""``hil instruments``: the families, what each can be and speaks, and what it was checked against."""

from __future__ import annotations


def instruments() -> None:
    """List the instrument families: roles, transports, and what each was checked against."""
    from rich.console import Console
    from rich.table import Table

    from hil.instruments.families import FAMILIES

    table = Table("family", "instruments", "roles", "speaks", "checked against", title="Instrument families")
    for family in FAMILIES:
        table.add_row(
            family.name, family.models, ", ".join(family.roles), ", ".join(family.transports), family.checked
        )  # fmt: skip
    Console().print(table)
    Console().print("A testbed names it as `family`. None of these was tried on the hardware itself.")
