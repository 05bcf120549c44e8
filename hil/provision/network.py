"""The management network stays where it is, and the adapter under test gets its address."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from hil.errors import BenchError
from hil.provision.step import State, Step
from hil.remote import Command
from hil.windows.find import management

_METRIC = 5
"""Lower than what Windows gives a wired link of up to 10 Gbit/s by itself (learn.microsoft.com, automatic metric)."""
_DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
_ON_LINK = {4: "0.0.0.0", 6: "::"}


class ManagementRoute(Step):
    """A host route to this controller over the interface that carries SSH: no address of the NIC under test, and no
    gateway behind it, can draw the session away."""

    kind = "management-route"

    def read(self) -> State:
        link = management(self.machine)
        remote = ip_address(link.remote)
        prefix = f"{remote}/{remote.max_prefixlen}"
        routes = self.shell.run(Command("Get-NetRoute", InterfaceIndex=link.index))
        known = [str(route["DestinationPrefix"]) for route in routes]
        gateways = [str(r["NextHop"]) for r in routes if str(r["DestinationPrefix"]) == _DEFAULT[remote.version]]
        near = remote in ip_interface(f"{link.local}/{link.prefix}").network
        hop = _ON_LINK[remote.version] if near or not gateways else gateways[0]
        return {"prefix": prefix, "index": link.index, "next_hop": hop, "there": prefix in known}

    def done(self, state: State) -> bool:
        return bool(state["there"])

    def apply(self, state: State) -> None:
        self.shell.run(
            Command(
                "New-NetRoute", DestinationPrefix=state["prefix"], InterfaceIndex=state["index"],
                NextHop=state["next_hop"], RouteMetric=1,
            )
        )  # fmt: skip

    def undo(self, previous: State) -> None:
        self.shell.run(
            Command(
                "Remove-NetRoute", DestinationPrefix=previous["prefix"], InterfaceIndex=previous["index"], Confirm=False
            ),
            check=False,
        )


class ManagementMetric(Step):
    """The interface that carries SSH comes first where two would do."""

    kind = "management-metric"

    def read(self) -> State:
        index = management(self.machine).index
        found = self.shell.run(Command("Get-NetIPInterface", InterfaceIndex=index, AddressFamily="IPv4"))
        if not found:
            raise BenchError("the IPv4 interface that carries SSH", seen=f"none of {index}", where=self.machine.where)
        automatic = str(found[0]["AutomaticMetric"]) in ("Enabled", "1")
        return {"index": index, "automatic": automatic, "metric": int(found[0]["InterfaceMetric"])}

    def done(self, state: State) -> bool:
        return not state["automatic"] and state["metric"] <= _METRIC

    def apply(self, state: State) -> None:
        # a metric that is given switches the automatic one off
        self._set(state["index"], InterfaceMetric=_METRIC)

    def undo(self, previous: State) -> None:
        if previous["automatic"]:
            self._set(previous["index"], AutomaticMetric="Enabled")
        else:
            self._set(previous["index"], InterfaceMetric=previous["metric"])

    def _set(self, index: int, **values: object) -> None:
        self.shell.run(Command("Set-NetIPInterface", InterfaceIndex=index, AddressFamily="IPv4", **values))


class TestAddress(Step):
    """The adapter under test has its static address; ``argument`` is the address with its prefix."""

    __test__ = False
    kind = "test-address"

    def read(self) -> State:
        adapter = self.place.adapter
        if adapter is None:
            raise BenchError("an adapter for the test address", seen="none was found", where=self.machine.where)
        return {"there": self.argument in adapter.addresses()}

    def done(self, state: State) -> bool:
        return bool(state["there"])

    def apply(self, state: State) -> None:  # noqa: ARG002 - the adapter knows
        if self.place.adapter is not None:
            self.place.adapter.ensure_address()

    def undo(self, previous: State) -> None:  # noqa: ARG002 - it had none
        address = str(ip_interface(self.argument).ip)
        self.shell.run(Command("Remove-NetIPAddress", IPAddress=address, Confirm=False), check=False)
