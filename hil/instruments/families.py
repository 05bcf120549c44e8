"""The instrument families, as data: what each is called, which roles it can play, and how it is spoken to.

``checked`` says against what the entry was proven: nothing here was run on the hardware itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hil.instruments.scpi import ScpiMeter, ScpiSupply, ScpiSwitch
from hil.instruments.session import Manners

SWITCHES = ("outlet", "slot", "cable", "button", "usb_port")
_LAN = ("SOCKET", "VXI-11", "HiSLIP")


@dataclass(frozen=True)
class Family:
    """One table. ``models`` is for people; ``manners.models`` is what ``*IDN?`` must match."""

    name: str
    models: str
    roles: tuple[str, ...]
    transports: tuple[str, ...]
    checked: str
    manners: Manners = field(default_factory=Manners)
    switch: ScpiSwitch | None = None
    meter: ScpiMeter | None = None
    supply: ScpiSupply | None = None
    note: str = ""


_ROUTE = ScpiSwitch("ROUT:CLOS (@{channel})", "ROUT:OPEN (@{channel})", "ROUT:CLOS? (@{channel})", "*OPC?")
_LISTED = ScpiSwitch("OUTP ON,(@{channel})", "OUTP OFF,(@{channel})", "OUTP? (@{channel})")
_LISTED_SUPPLY = ScpiSupply(
    "VOLT {value},(@{channel})", "CURR {value},(@{channel})", "MEAS:VOLT? (@{channel})", "MEAS:CURR? (@{channel})"
)

FAMILIES = (
    Family(
        "scpi-relay", "any relay unit with SCPI channel lists", SWITCHES, _LAN,
        "virtual instrument", switch=_ROUTE,
        note="ROUT:CLOS? is the firmware's memory: it does not see a welded or dead contact",
    ),
    Family(
        "keysight-34980a", "Keysight/Agilent 34970A, 34972A, 34980A", SWITCHES, _LAN,
        "virtual instrument; vendor manual in part",
        Manners(models="349(70|72|80)A"), switch=_ROUTE,
        note="*RST opens every channel; ROUT:CLOS? does not see a welded or dead contact",
    ),
    Family(
        "rigol-m300", "Rigol M300, M301, M302", SWITCHES, _LAN,
        "virtual instrument; vendor manual", Manners(models="RIGOL.*,M30"), switch=_ROUTE,
    ),
    Family(
        "yokogawa-wt300", "Yokogawa WT310, WT310E, WT330, WT330E", ("meter",), _LAN,
        "virtual instrument; vendor manual in part",
        Manners(
            models="YOKOGAWA,WT3[13]0", error_query=":STAT:ERR?",
            prepare=(":COMM:HEAD OFF", ":NUM:FORM ASC", ":NUM:NORM:NUM 1"),
        ),
        meter=ScpiMeter(":NUM:NORM:VAL? 1", 0.1, setup=(":NUM:NORM:ITEM1 P,{channel}", ":RATE 100MS")),
        note="values change at :RATE only; auto range leaves gaps, read as NAN",
    ),
)  # fmt: skip
