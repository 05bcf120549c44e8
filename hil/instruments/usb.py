"""pyvisa-py's USBTMC session (USB Test and Measurement Class 1.0), bounded.

Its messages and its way to find a device are pyvisa-py's own. What differs: an exchange has one deadline, where each of
many transfers had one and a failed one waited 5 s more for its abort; an answer must carry the tag of its question; and
what an earlier user left in the instrument is cleared when it is opened (section 4.2.1.6), so that a late answer is
nobody's.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any

import usb
from pyvisa_py.protocols import usbtmc
from pyvisa_py.usb import USBInstrSession

from hil.clock import Deadline
from hil.errors import UsageError
from hil.instruments.bounded import Bounded
from hil.instruments.wire import Health
from hil.wait import pause

_HEADER_BYTES, _CHUNK_BYTES, _LONGEST_ANSWER_BYTES = 12, 1 << 14, 1 << 24
_DEFAULT_S, _CLEARED_WITHIN_S = 5.0, 2.0
_END_OF_MESSAGE = 1
_TO_INTERFACE = 0xA1
"""A class request to the interface, answered (USB 2.0, 9.3)."""


class _Usbtmc(usbtmc.USBTMC):  # type: ignore[misc]
    """One instrument. Raises usb.USBError and ConnectionError; it is not to be used again then."""

    _btag: int

    def __init__(self, vendor: int, product: int, serial: str) -> None:
        super().__init__(vendor, product, serial)
        self._deadline = Deadline(_DEFAULT_S)
        self._clear()

    def begin(self, timeout_s: float) -> None:
        self._deadline = Deadline(timeout_s)

    def write(self, data: bytes) -> int:
        """A message in as many transfers as it takes."""
        most = self.usb_send_ep.wMaxPacketSize
        for start in range(0, max(len(data), 1), most):
            self._next_tag()
            last = start + most >= len(data)
            self._send(usbtmc.BulkOutMessage.build_array(self._btag, last, data[start : start + most]))
        return len(data)

    def read_message(self) -> bytes:
        """A whole answer, asked for in chunks."""
        answer, ended = bytearray(), False
        while not ended:
            self._next_tag()
            self._send(usbtmc.BulkInMessage.build_array(self._btag, _CHUNK_BYTES, None))
            part, ended = self._transfer()
            answer += part
            if len(answer) > _LONGEST_ANSWER_BYTES:
                raise ConnectionError("an answer without end")
        return bytes(answer)

    def _transfer(self) -> tuple[bytes, bool]:
        """What one request brings, and whether it ends the message."""
        packet = self.usb_recv_ep.wMaxPacketSize
        room = ((_HEADER_BYTES + _CHUNK_BYTES) // packet + 1) * packet
        data = bytes(self.usb_recv_ep.read(room, self._left_ms))
        if len(data) < _HEADER_BYTES:
            raise ConnectionError(f"a transfer of {len(data)} bytes")
        kind, tag, inverse = data[0], data[1], data[2]
        if kind != usbtmc.MsgID.dev_dep_msg_in or tag != self._btag or inverse != ~tag & 0xFF:
            raise ConnectionError(f"an answer to question {tag}, where {self._btag} was asked")
        size = int.from_bytes(data[4:8], "little")
        while len(data) < _HEADER_BYTES + size:  # packets that come in several reads carry no header
            data += bytes(self.usb_recv_ep.read(room, self._left_ms))
        return data[_HEADER_BYTES : _HEADER_BYTES + size], bool(data[8] & _END_OF_MESSAGE)

    def _clear(self) -> None:
        """Empty the instrument's buffers in both directions; those that cannot say so are let be."""
        if self._class_request(usbtmc.Request.initiate_clear, 1)[0] != usbtmc.UsbTmcStatus.success:
            return
        deadline = Deadline(_CLEARED_WITHIN_S)
        while self._class_request(usbtmc.Request.check_clear_status, 2)[0] == usbtmc.UsbTmcStatus.pending:
            if deadline.expired:
                raise TimeoutError("the instrument does not clear its buffers")
            pause(0.01, why="the instrument clears its buffers")
        self.usb_dev.clear_halt(self.usb_send_ep.bEndpointAddress)

    def _class_request(self, request: int, length: int) -> Any:
        return self.usb_dev.ctrl_transfer(_TO_INTERFACE, request, 0, self.usb_intf.index, length, timeout=self._left_ms)

    def _send(self, message: bytes) -> None:
        self.usb_send_ep.write(message, self._left_ms)

    def _next_tag(self) -> None:
        self._btag = self._btag % 255 + 1

    @property
    def _left_ms(self) -> int:
        """For the transfer that begins now; 0 would be for ever."""
        return max(1, round(self._deadline.remaining_s * 1000))


class BoundedUsb(Bounded, USBInstrSession):  # type: ignore[misc]
    """``USB::vendor::product::serial::INSTR``."""

    _intf_cls = _Usbtmc
    interface: Any

    def after_parsing(self) -> None:
        """Raises UsageError for a device that this user may not open."""
        try:
            super().after_parsing()
        except usb.USBError as error:
            if error.errno == errno.EACCES:
                raise _forbidden(self.parsed, str(error)) from error
            raise
        except ValueError as error:
            if self._is_there_unread():
                raise _forbidden(self.parsed, "its serial number cannot be read") from error
            raise ConnectionError(f"no such USBTMC device: {error}") from error

    def _is_there_unread(self) -> bool:
        """Whether such a device is there that does not even tell its serial number: to whoever may not open it."""
        kind = {"idVendor": int(self.parsed.manufacturer_id, 0), "idProduct": int(self.parsed.model_code, 0)}
        for device in usb.core.find(find_all=True, **kind):
            try:
                _ = device.serial_number
            except (ValueError, usb.USBError):
                return True
        return False

    def send(self, message: bytes) -> None:
        self.interface.begin(_DEFAULT_S if self.timeout is None else self.timeout)
        self.interface.write(message)

    def receive(self) -> bytes:
        answer: bytes = self.interface.read_message()
        return answer

    def health(self) -> Health:
        """An instrument on USB speaks when asked only; one that was unplugged fails the next transfer at once."""
        return Health.QUIET

    def abandon(self) -> None:
        with suppress(usb.USBError):  # it may be unplugged
            self.interface.close()


def _forbidden(parsed: Any, seen: str) -> UsageError:
    return UsageError(
        "to open an instrument on USB", seen=seen, where=f"{parsed.manufacturer_id}:{parsed.model_code}",
        next_step=f'a udev rule: SUBSYSTEM=="usb", ATTR{{idVendor}}=="{int(parsed.manufacturer_id, 0):04x}", '
        'TAG+="uaccess" or GROUP= one of yours',
    )  # fmt: skip
