"""Wake-on-LAN as an out-of-band power switch: it can ask a machine to start, and knows nothing of what became of it.

AMD, Magic Packet Technology (1995), section 2: six bytes FF, the MAC sixteen times, then the SecureOn password if any.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from hil.errors import BenchError, UsageError
from hil.instruments.roles import Identity, Switch, Witness
from hil.instruments.switching import Permit
from hil.journal import Journal
from hil.testbed.model import Instrument
from hil.testbed.secret import reveal
from hil.wait import wait_until

_DISCARD_PORT = 9
_STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class WakeOnLan:
    """The dialect; the resource is ``AA-BB-CC-DD-EE-FF@broadcast-address`` with ``:port`` if it is not 9."""

    def waker(self, name: str, spec: Instrument, journal: Journal, permit: Permit) -> Waker:
        found = re.fullmatch(r"((?:[0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2})@([^:]+)(?::(\d+))?", spec.resource)
        if found is None:
            raise UsageError(
                f"the MAC and the broadcast address of {name}", seen=spec.resource,
                next_step="write it like 02-1D-0F-00-00-01@192.0.2.255",
            )  # fmt: skip
        password = b""
        if spec.secret is not None:
            text = reveal(spec.secret, f"instruments.{name}.secret")
            journal.mask(text)
            password = bytes.fromhex(re.sub(r"[-:]", "", text))
        packet = b"\xff" * 6 + bytes.fromhex(re.sub(r"[-:]", "", found[1])) * 16 + password
        return Waker(name, found[1], (found[2], int(found[3] or _DISCARD_PORT)), packet, journal, permit)


class Waker:
    """Sends the packet. Without a witness nobody knows whether it was heard: the state is always unknown."""

    def __init__(
        self, name: str, mac: str, address: tuple[str, int], packet: bytes, journal: Journal, permit: Permit
    ) -> None:
        self.name, self.identity = name, Identity("Wake-on-LAN", mac)
        self._address, self._packet, self._journal, self._permit = address, packet, journal, permit

    def on(self, witness: Witness | None = None) -> None:
        where = "{}:{}".format(*self._address)
        with self._journal.span("instrument", f"{self.name}: on", where=where, confirmed=witness is not None):
            self._permit()
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    sender.sendto(self._packet, self._address)
            except OSError as error:
                raise BenchError(f"{self.name} to send a magic packet", seen=str(error), where=where) from error
            if witness is not None:
                wait_until(
                    witness, what=f"the machine to start after {self.name} on", timeout_s=_STARTS_WITHIN_S,
                    journal=self._journal, where=where, next_step="check that its firmware and its NIC are armed",
                )  # fmt: skip

    def off(self, witness: Witness | None = None) -> None:  # noqa: ARG002 - the role has one
        raise UsageError(f"{self.name} to switch off", seen="Wake-on-LAN can only start", next_step="use an outlet")

    def state(self) -> Switch:
        return Switch.UNKNOWN

    def close(self) -> None:
        """Nothing stays open."""
