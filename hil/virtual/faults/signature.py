"""Defects of what must be refused: Windows takes a signature that it should not, or refuses at the wrong price."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Fault

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class BrokenSignatureAccepted(Fault):
    """Windows takes a package that was changed after signing: integrity checks were left off on the image of the PC."""

    caught_by: ClassVar = ("refusal",)

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        return accepted or reason == "tampered"


class UnsignedAccepted(Fault):
    """Windows takes a package that nobody signed: it was started with signature enforcement off."""

    caught_by: ClassVar = ("refusal",)

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        return accepted or reason == "unsigned"


class ExpiredAccepted(Fault):
    """A signature without time stamp counts after its certificate's end: the machine's clock stands years behind."""

    caught_by: ClassVar = ("refusal",)

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        return accepted or reason == "expired"


class DistrustedAccepted(Fault):
    """A package is taken although its publisher is among the untrusted certificates: policy ignores that store."""

    caught_by: ClassVar = ("refusal",)

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        return accepted or reason == "revoked"


class TestSignatureAlwaysLoads(Fault):
    """The kernel loads a test-signed image without test signing: a kernel debugger was left attached."""

    __test__ = False
    caught_by: ClassVar = ("refusal",)

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        return accepted or reason == "test-signed"


class RefusalStopsOldDriver(Fault):
    """The installer stops the device before it looks at the signature: a refused package costs the connection."""

    caught_by: ClassVar = ("refusal",)

    def attach(self, bench: VirtualBench) -> None:
        self._devices, self._loop = bench.windows.devices, bench.loop

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        adapter = self._devices.under_test()
        if not accepted and adapter and adapter.node.started:
            self._stopping = self._loop.create_task(self._devices.restart(adapter.node))
        return accepted


class RefusalNotTold(Fault):
    """The installer ends with 0 for a package that Windows refused: the deployment counts the PC as done."""

    caught_by: ClassVar = ("refusal",)

    def exit_code(self, code: int, *, verb: str) -> int:
        return 0 if code > 0x80000000 else code
