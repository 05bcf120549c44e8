"""Defects of what the sleeping NIC answers for its machine."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults import Fault
from hil.virtual.windows.presence import advertisement, arp_reply

_ARP, _IPV6 = b"\x08\x06", b"\x86\xdd"
_STRANGER = bytes.fromhex("021d0fdead01")


class ArpNotAnswered(Fault):
    """The ARP offload is accepted and never started: after some minutes the switch has forgotten the machine."""

    caught_by: ClassVar = ("presence",)

    def answers(self, reply: bytes | None, *, frame: bytes) -> bytes | None:
        return None if frame[12:14] == _ARP else reply


class SolicitationNotAnswered(Fault):
    """The multicast filter of D3 lacks the solicited-node group: nobody finds the machine over IPv6."""

    caught_by: ClassVar = ("presence",)

    def answers(self, reply: bytes | None, *, frame: bytes) -> bytes | None:
        return None if frame[12:14] == _IPV6 else reply


class ArpAnsweredWithWrongMac(Fault):
    """The answer carries the address of the management controller that shares the port: traffic goes astray."""

    caught_by: ClassVar = ("presence",)

    def answers(self, reply: bytes | None, *, frame: bytes) -> bytes | None:
        if reply is None or frame[12:14] != _ARP:
            return reply
        return reply[:6] + _STRANGER + reply[12:22] + _STRANGER + reply[28:]


class AnswersForEverybody(Fault):
    """The address in the request is not compared: asleep, the NIC claims every address of the network as its own."""

    caught_by: ClassVar = ("presence",)

    def answers(self, reply: bytes | None, *, frame: bytes) -> bytes | None:
        adapter = self._bench.windows.devices.under_test()
        asked = ".".join(map(str, frame[38:42]))
        return reply or (arp_reply(frame, adapter.mac, [asked]) if adapter else None)


class AnswersAlthoughSwitchedOff(Fault):
    """Neighbour solicitations are answered whatever *PMNSOffload says."""

    caught_by: ClassVar = ("presence",)

    def answers(self, reply: bytes | None, *, frame: bytes) -> bytes | None:
        adapter = self._bench.windows.devices.under_test()
        if reply or adapter is None:
            return reply
        asked = [address.ip for address in self._bench.windows.network.addresses(adapter)]
        return advertisement(frame, adapter.mac, asked)
