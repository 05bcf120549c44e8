"""``hil instruments``: the families, what each can be and speaks, and what it was checked against."""

from __future__ import annotations


def instruments() -> None:
    """List the instrument families: roles, transports, and what each was checked against."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from hil.instruments.families import FAMILIES

    table = Table(box=SIMPLE_HEAD)
    table.add_column("family", no_wrap=True)
    for heading in ("instruments", "roles", "speaks", "checked against"):
        table.add_column(heading)
    for family in FAMILIES:
        row = (family.models, ", ".join(family.roles), ", ".join(family.transports), family.checked)
        table.add_row(family.name, *row)
    console = Console()
    console.print(table)
    console.print("A testbed names it as `family`. None of these was tried on the hardware itself.")
