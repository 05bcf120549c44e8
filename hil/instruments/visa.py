"""A line through pyvisa and pyvisa-py by VISA resource name: SOCKET, HiSLIP, VXI-11, serial, USB.

TCP resources are opened with the classes of :mod:`hil.instruments.bounded`, USB ones with that of
:mod:`hil.instruments.usb`, everything else as pyvisa-py does. They belong to a library object of their own, so that
neither they nor a neighbour's ``ResourceManager('@py')`` change or close each other.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import InterfaceType, StatusCode
from pyvisa.highlevel import ResourceManager
from pyvisa.util import LibraryPath
from pyvisa_py.highlevel import PyVisaLibrary

from hil.errors import UsageError
from hil.instruments.bounded import Bounded, BoundedHislip, BoundedSocket, BoundedVxi11
from hil.instruments.wire import Health


class VisaLine:
    """A line by VISA resource name, with a resource manager that nobody else can close: it has a library to itself."""

    def __init__(self, resource: str, timeout_s: float, read_termination: str, write_termination: str) -> None:
        self._end = write_termination.encode("ascii")
        self._manager = ResourceManager(GuardedLibrary(LibraryPath(f"hil {id(self)}")))
        try:
            visa: Any = self._manager.open_resource(resource, open_timeout=round(timeout_s * 1000))
            self._visa = visa
            self._visa.read_termination, self._visa.write_termination = read_termination, write_termination
            self.set_timeout(timeout_s)
        except BaseException:
            self._manager.close()
            raise
        session = self._visa.visalib.sessions[self._visa.session]
        self._bounded = session if isinstance(session, Bounded) else None
        self._write, self.receive = (
            (self._visa.write_raw, self._visa.read_raw) if self._bounded is None else (session.send, session.receive)
        )

    def send(self, message: bytes) -> None:
        self._write(message + self._end)

    def health(self) -> Health:
        """A serial line has no end to be found, but may hold bytes that nobody asked for."""
        if self._bounded is not None:
            return self._bounded.health()
        return Health.UNREAD if getattr(self._visa, "bytes_in_buffer", 0) else Health.QUIET

    def set_timeout(self, timeout_s: float) -> None:
        self._visa.timeout = timeout_s * 1000

    def abandon(self) -> None:
        if self._bounded is not None:
            self._bounded.abandon()
        self.close()

    def close(self) -> None:
        self._visa.close()
        self._manager.close()


class GuardedLibrary(PyVisaLibrary):  # type: ignore[misc]
    """One library for one session: opens TCP resources with the classes above, everything else as pyvisa-py does."""

    def open(
        self,
        session: Any,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int | None = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[Any, StatusCode]:
        parsed = rname.parse_resource_name(resource_name)
        kind = _session_class(parsed)
        if kind is None:
            return super().open(session, resource_name, access_mode, open_timeout)  # type: ignore[no-any-return]
        made: Any = kind
        return self._register(made(session, resource_name, parsed, open_timeout)), StatusCode.success


def _session_class(parsed: Any) -> type[Bounded] | None:
    if parsed.interface_type_const is InterfaceType.usb and parsed.resource_class == "INSTR":
        return _usb_session()
    if parsed.interface_type_const is not InterfaceType.tcpip:
        return None
    if parsed.resource_class == "SOCKET":
        return BoundedSocket
    if parsed.resource_class != "INSTR":
        return None
    return BoundedHislip if parsed.lan_device_name.lower().startswith("hislip") else BoundedVxi11


def _usb_session() -> type[Bounded]:
    """Raises UsageError when a library is missing that a person can install."""
    try:
        from hil.instruments.usb import BoundedUsb
    except ImportError as error:
        missing = "libusb" if importlib.util.find_spec("usb") else "pyusb"
        raise UsageError(
            f"{missing}, for instruments on USB", seen=str(error),
            next_step="pip install hil[usb], and the system's package libusb-1.0-0",
        ) from error  # fmt: skip
    return BoundedUsb
