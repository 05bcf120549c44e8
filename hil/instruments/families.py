"""The instrument families, as data: what each is called, which roles it can play, and how it is spoken to.

``checked`` says against what the entry was proven: nothing here was run on the hardware itself. Commands are from the
vendors' manuals or from public drivers; what rests on neither says "unconfirmed".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hil.instruments.amt import Amt
from hil.instruments.commands import LABGRID, UHUBCTL, YKUSH
from hil.instruments.http import HttpSwitch, Request
from hil.instruments.manners import Manners
from hil.instruments.quarch import RESET_S, torridon
from hil.instruments.scpi import Scpi, ScpiMeter, ScpiSupply, ScpiSwitch
from hil.instruments.snmp import Snmp, SnmpTree
from hil.instruments.switching import Contact
from hil.instruments.wake_on_lan import WakeOnLan
from hil.journal import Journal
from hil.testbed.model import Instrument

SWITCHES = ("outlet", "slot", "cable", "button", "usb_port")
SUPPLIES = ("supply", "outlet", "slot", "usb_port")
_LAN = ("SOCKET", "VXI-11", "HiSLIP")


class Dialect(Protocol):
    """Gives a contact for a testbed entry; the connection may wait until it is first used."""

    def contact(self, name: str, spec: Instrument, journal: Journal) -> Contact: ...


@dataclass(frozen=True)
class Family:
    """One table. ``models`` is for people; ``settle_s`` and ``confirm_s`` are what every unit of the family needs."""

    name: str
    models: str
    roles: tuple[str, ...]
    transports: tuple[str, ...]
    checked: str
    dialect: Dialect | WakeOnLan
    settle_s: float = 0.0
    confirm_s: float = 5.0
    note: str = ""


_ROUTE = ScpiSwitch("ROUT:CLOS (@{channel})", "ROUT:OPEN (@{channel})", "ROUT:CLOS? (@{channel})", "*OPC?")
_LISTED = ScpiSwitch("OUTP ON,(@{channel})", "OUTP OFF,(@{channel})", "OUTP? (@{channel})", "*OPC?")
_LISTED_SUPPLY = ScpiSupply(
    "VOLT {value},(@{channel})", "CURR {value},(@{channel})", "MEAS:VOLT? (@{channel})", "MEAS:CURR? (@{channel})"
)
_SINGLE = ScpiSwitch("OUTP:STAT ON", "OUTP:STAT OFF", "OUTP:STAT?", "*OPC?")
_SINGLE_SUPPLY = ScpiSupply("VOLT {value}", "CURR {value}", "MEAS:VOLT?", "MEAS:CURR?")
_NO_CONTACT = "the position read back is the firmware's memory: it does not see a welded or dead contact"

RELAYS = (
    Family(
        "scpi-relay", "any relay unit with SCPI channel lists", SWITCHES, _LAN, "virtual instrument",
        Scpi(switch=_ROUTE), note=_NO_CONTACT,
    ),
    Family(
        "keysight-34980a", "Keysight/Agilent 34970A, 34972A, 34980A", SWITCHES, _LAN,
        "virtual instrument; vendor manual in part", Scpi(Manners(models="349(70|72|80)A"), switch=_ROUTE),
        note=f"*RST opens every channel; {_NO_CONTACT}",
    ),
    Family(
        "rigol-m300", "Rigol M300, M301, M302", SWITCHES, _LAN, "virtual instrument; vendor manual",
        Scpi(Manners(models="RIGOL.*,M30"), switch=_ROUTE), note=_NO_CONTACT,
    ),
)  # fmt: skip

SUPPLY_FAMILIES = (
    Family(
        "keysight-e36100", "Keysight E36102A..E36106B (one output)", SUPPLIES, _LAN,
        "virtual instrument; public driver", Scpi(Manners(models=",E361"), switch=_SINGLE, supply=_SINGLE_SUPPLY),
        note="over-current latches the output off",
    ),
    Family(
        "keysight-e36300", "Keysight E36311A..E36313A (three outputs)", SUPPLIES, _LAN,
        "virtual instrument; public driver", Scpi(Manners(models=",E363"), switch=_LISTED, supply=_LISTED_SUPPLY),
    ),
    Family(
        "keysight-n6700", "Keysight N6700, N6705 with DC modules", (*SUPPLIES, "meter"), ("SOCKET", "VXI-11"),
        "virtual instrument; vendor manual; MEAS:POW? unconfirmed",
        Scpi(
            Manners(models=",N67"), switch=_LISTED, supply=_LISTED_SUPPLY,
            meter=ScpiMeter("MEAS:POW? (@{channel})", 0.1),
        ),
        note="source and meter in one: a reset of the meter cuts the device",
    ),
    Family(
        "rigol-dp800", "Rigol DP811, DP821, DP831, DP832", SUPPLIES, ("SOCKET", "VXI-11"),
        "virtual instrument; public driver",
        Scpi(
            Manners(models="RIGOL.*,DP8", error_query=":SYST:ERR?"),
            switch=ScpiSwitch(":OUTP CH{channel},ON", ":OUTP CH{channel},OFF", ":OUTP? CH{channel}"),
            supply=ScpiSupply(
                ":SOUR{channel}:VOLT {value}", ":SOUR{channel}:CURR {value}",
                ":MEAS:VOLT? CH{channel}", ":MEAS:CURR? CH{channel}",
            ),
        ),
        note="prefer SOCKET: its VXI-11 was seen to hang after *RST until a power cycle",
    ),
    Family(
        "siglent-spd", "Siglent SPD3303X, SPD1000X (channels 1 and 2)", SUPPLIES, ("SOCKET", "VXI-11"),
        "virtual instrument; public driver",
        Scpi(
            Manners(models="Siglent.*,SPD", status_register=False),
            switch=ScpiSwitch(
                "OUTP CH{channel},ON", "OUTP CH{channel},OFF", "SYST:STAT?", status_bit=4, channels=("1", "2")
            ),
            supply=ScpiSupply(
                "CH{channel}:VOLT {value}", "CH{channel}:CURR {value}",
                "MEAS:VOLT? CH{channel}", "MEAS:CURR? CH{channel}",
            ),
        ),
        settle_s=0.01, note="no query of one output: the position comes from a status word",
    ),
    Family(
        "rs-hmp", "Rohde & Schwarz HMP2020..HMP4040", SUPPLIES, ("SOCKET", "VXI-11"),
        "virtual instrument; public driver",
        Scpi(
            Manners(models=",HMP"),
            switch=ScpiSwitch(
                "INST:NSEL {channel};:OUTP:SEL 1;:OUTP:GEN 1", "INST:NSEL {channel};:OUTP:SEL 0",
                "INST:NSEL {channel};:OUTP:SEL?;:OUTP:GEN?", "*OPC?",
            ),
            supply=ScpiSupply(
                "INST:NSEL {channel};:VOLT {value}", "INST:NSEL {channel};:CURR {value}",
                "INST:NSEL {channel};:MEAS:VOLT?", "INST:NSEL {channel};:MEAS:CURR?",
            ),
        ),
        note="the channel is selected in the same message: a second client must not select another in between",
    ),
    Family(
        "rs-ngx", "Rohde & Schwarz NGA100, NGL200, NGM200", SUPPLIES, _LAN,
        "virtual instrument; vendor manual in part; MEAS with channel list unconfirmed",
        Scpi(Manners(models=",NG[ALM]"), switch=_LISTED, supply=_LISTED_SUPPLY),
    ),
    Family(
        "tdk-genesys", "TDK-Lambda Genesys, GENESYS+ with LAN", SUPPLIES, ("SOCKET", "VXI-11"),
        "virtual instrument; vendor manual", Scpi(Manners(models="LAMBDA"), switch=_SINGLE, supply=_SINGLE_SUPPLY),
        note="one client by default",
    ),
)  # fmt: skip

METERS = (
    Family(
        "yokogawa-wt300", "Yokogawa WT310, WT310E, WT330, WT330E", ("meter",), _LAN,
        "virtual instrument; vendor manual in part",
        Scpi(
            Manners(
                models="YOKOGAWA,WT3[13]0", error_query=":STAT:ERR?",
                prepare=(":COMM:HEAD OFF", ":NUM:FORM ASC", ":NUM:NORM:NUM 1"),
            ),
            meter=ScpiMeter(":NUM:NORM:VAL? 1", 0.1, setup=(":NUM:NORM:ITEM1 P,{channel}", ":RATE 100MS")),
        ),
        note="values change at :RATE only; auto range leaves gaps, read as NAN",
    ),
)  # fmt: skip

_TORRIDON = "Quarch Torridon breaker modules: PCIe, M.2, USB, RJ-45, SFP"
_CHECKED_TORRIDON = "virtual instrument; vendor library; bounce of a pull and glitch of all signals unconfirmed"
BREAKERS = (
    Family(
        "quarch", _TORRIDON, ("slot", "cable"), ("TCP 9760",), _CHECKED_TORRIDON, torridon(),
        note="pins break as a call's profile says, staggered as by a hand without one; other settings are left alone",
    ),
    Family(
        "quarch-hand", _TORRIDON, ("slot", "cable"), ("TCP 9760",), _CHECKED_TORRIDON,
        torridon("conf:def state", prepared_s=RESET_S),
        note="resets the module to its default at each open, which takes 6 s: pins staggered, as by a hand",
    ),
    Family(
        "quarch-at-once", _TORRIDON, ("slot", "cable"), ("TCP 9760",), _CHECKED_TORRIDON,
        torridon("signal:all:source 7", timed=False), note="all pins break at once: a true surprise removal",
    ),
    Family(
        "quarch-array", "Quarch array controller with Torridon modules (channel = module)", ("slot", "cable"),
        ("TCP 9760",), _CHECKED_TORRIDON, torridon(suffix=" <{channel}>"),
    ),
)  # fmt: skip

_APC = "1.3.6.1.4.1.318.1"
APC_TREES = (
    SnmpTree(  # PowerNet-MIB rPDUOutletControlOutletCommand and rPDUOutletStatusOutletState
        f"{_APC}.3.4.5", "APC", (f"{_APC}.1.12.3.3.1.1.4.{{channel}}", 1), (f"{_APC}.1.12.3.3.1.1.4.{{channel}}", 2),
        f"{_APC}.1.12.3.5.1.1.4.{{channel}}", (1,), (2,), (f"{_APC}.1.12.3.3.1.1.4.{{channel}}", 7),
    ),
    SnmpTree(  # PowerNet-MIB rPDU2OutletSwitchedControlCommand; reads 4 when unknown
        f"{_APC}.3.4.6", "APC", (f"{_APC}.1.26.9.2.4.1.5.{{channel}}", 1), (f"{_APC}.1.26.9.2.4.1.5.{{channel}}", 2),
        f"{_APC}.1.26.9.2.4.1.5.{{channel}}", (1,), (2,), (f"{_APC}.1.26.9.2.4.1.5.{{channel}}", 8),
    ),
)  # fmt: skip
_RARITAN, _IF = "1.3.6.1.4.1.13742.6", "1.3.6.1.2.1.2.2.1"
RARITAN_TREE = SnmpTree(  # PDU2-MIB switchingOperation and outletSwitchingState: not the same enumeration
    _RARITAN, "Raritan", (f"{_RARITAN}.4.1.2.1.2.1.{{channel}}", 1), (f"{_RARITAN}.4.1.2.1.2.1.{{channel}}", 0),
    f"{_RARITAN}.4.1.2.1.3.1.{{channel}}", (7,), (8,),
)  # fmt: skip
PORT_TREE = SnmpTree(  # IF-MIB ifAdminStatus; ifOperStatus is what is
    "1.3.6.1.4.1", "any", (f"{_IF}.7.{{channel}}", 1), (f"{_IF}.7.{{channel}}", 2), f"{_IF}.8.{{channel}}", (1,), (2,)
)
SNMP_FAMILIES = (
    Family(
        "apc-pdu", "APC switched rack PDUs AP79xx (rPDU) and AP86xx/AP89xx (rPDU2), told apart by themselves",
        ("outlet",), ("SNMP v1",), "virtual instrument; vendor MIB", Snmp(APC_TREES), confirm_s=20.0,
        note="other APC trees have the same numbers in reverse and are refused",
    ),
    Family(
        "raritan-px", "Raritan PX2, PX3", ("outlet",), ("SNMP v1",), "virtual instrument; public driver",
        Snmp((RARITAN_TREE,)), confirm_s=20.0,
    ),
    Family(
        "switch-port", "port of any managed switch (channel = ifIndex)", ("cable",), ("SNMP v1",),
        "virtual instrument; public driver", Snmp((PORT_TREE,)), confirm_s=20.0,
        note="some switches keep the light on while the port is down: the NIC then sees no unplug",
    ),
)  # fmt: skip

_RPC = '{"id":1,"method":"%s"%s}'
_SHELLY_SET = ',"params":{"id":{channel},"on":%s}'
_RESET = "/redfish/v1/Systems/{channel}/Actions/ComputerSystem.Reset"
HTTP_FAMILIES = (
    Family(
        "netio", "NETIO PowerPDU, PowerBOX, PowerCable (JSON API)", ("outlet",), ("HTTP",),
        "virtual instrument; public driver",
        HttpSwitch(
            "NETIO", Request("GET", "/netio.json"), ("Agent", "Model"), ("Agent", "SerialNumber"),
            Request("POST", "/netio.json", '{"Outputs":[{"ID":{channel},"Action":1}]}'),
            Request("POST", "/netio.json", '{"Outputs":[{"ID":{channel},"Action":0}]}'),
            Request("GET", "/netio.json"), ("Outputs", "ID={channel}", "State"), (1,), (0,),
        ),
        confirm_s=20.0, note="a refused write is answered 200; writing must be enabled in its web page",
    ),
    Family(
        "shelly-gen2", "Shelly Plus and Pro relays (channel from 0)", ("outlet",), ("HTTP",),
        "virtual instrument; public driver",
        HttpSwitch(
            "Shelly", Request("POST", "/rpc", _RPC % ("Shelly.GetDeviceInfo", "")),
            ("result", "model"), ("result", "id"),
            Request("POST", "/rpc", _RPC % ("Switch.Set", _SHELLY_SET % "true")),
            Request("POST", "/rpc", _RPC % ("Switch.Set", _SHELLY_SET % "false")),
            Request("POST", "/rpc", _RPC % ("Switch.GetStatus", ',"params":{"id":{channel}}')), ("result", "output"),
        ),
        note="switch off its own timers, which fight the harness",
    ),
    Family(
        "dli-pro", "Digital Loggers Web Power Switch Pro (REST, channel from 0)", ("outlet",), ("HTTP",),
        "virtual instrument; public driver; identity unconfirmed",
        HttpSwitch(
            "Digital Loggers", Request("GET", "/restapi/config/"), ("model",), ("serial",),
            Request("PUT", "/restapi/relay/outlets/{channel}/state/", "value=true", form=True),
            Request("PUT", "/restapi/relay/outlets/{channel}/state/", "value=false", form=True),
            Request("GET", "/restapi/relay/outlets/{channel}/physical_state/"), (), headers={"X-CSRF": "x"},
        ),
        confirm_s=20.0, note="read is the physical state; an outlet may be locked",
    ),
    Family(
        "redfish", "any BMC with Redfish (channel = system)", ("out_of_band",), ("HTTPS",),
        "virtual instrument; specification",
        HttpSwitch(
            "Redfish", Request("GET", "/redfish/v1/Systems/{channel}"), ("Model",), ("SerialNumber",),
            Request("POST", _RESET, '{"ResetType":"On"}'), Request("POST", _RESET, '{"ResetType":"ForceOff"}'),
            Request("GET", "/redfish/v1/Systems/{channel}"), ("PowerState",), ("On",), ("Off",),
        ),
        confirm_s=60.0,
        note="no outlet: the mains stay; PoweringOn and PoweringOff are neither on nor off, and are waited out",
    ),
)  # fmt: skip

COMMAND_FAMILIES = (
    Family(
        "ykush", "Yepkit YKUSH, YKUSH3 (resource = serial number)", ("usb_port", "slot"), ("ykushcmd",),
        "a stand-in program; public driver; wording of the state unconfirmed", YKUSH,
    ),
    Family(
        "uhubctl", "USB hubs with power switching per port (resource = location)", ("usb_port",), ("uhubctl",),
        "a stand-in program; public driver", UHUBCTL,
        note="many hubs cut the data lines and leave VBUS on: not for removal tests without a second witness",
    ),
    Family(
        "labgrid", "any PDU of labgrid's power modules (resource = module@host)", ("outlet",), ("labgrid",),
        "labgrid's shelly_gen2 module on the virtual PDU", LABGRID, confirm_s=20.0,
        note="runs in a process of its own, since the modules' requests have no timeout",
    ),
)  # fmt: skip

AMT = Family(
    "intel-amt", "Intel AMT 6 and later (vPro), WS-Management on port 16992 or 16993", ("out_of_band",),
    ("HTTP", "HTTPS"), "virtual controller; public driver; identity by CIM_Chassis unconfirmed", Amt(), confirm_s=20.0,
    note="dies with the mains; behind the NIC under test it is gone when that is pulled: use another port",
)  # fmt: skip

WAKE_ON_LAN = Family(
    "wake-on-lan", "any NIC that is armed for magic packets (resource = MAC@broadcast address)", ("out_of_band",),
    ("UDP",), "a socket that listens", WakeOnLan(),
    note="can only start a machine, and never knows whether it did: the state is unknown",
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (
    *RELAYS, *BREAKERS, *SNMP_FAMILIES, *HTTP_FAMILIES, AMT, WAKE_ON_LAN, *COMMAND_FAMILIES, *SUPPLY_FAMILIES, *METERS,
)  # fmt: skip
