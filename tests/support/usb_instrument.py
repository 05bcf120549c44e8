"""A USBTMC instrument below pyusb: what pyusb asks of libusb, answered by an instrument that may misbehave.

It is a backend as pyusb documents them (``usb.backend.IBackend``), so that pyusb and pyvisa-py run as they are.
Messages are read here by the class's specification (USBTMC 1.0, table 1 to 9), independently of pyvisa-py.
"""

from __future__ import annotations

import errno
import struct
import time
from collections import deque
from types import SimpleNamespace

import usb
from usb.backend import IBackend

VENDOR, PRODUCT, SERIAL = 0x1AB1, 0x0E11, "DP8A1234"
RESOURCE = f"USB::{VENDOR:#06x}::{PRODUCT:#06x}::{SERIAL}::INSTR"
OUT, IN, PACKET = 0x01, 0x82, 64
_ASK, _TELL = 2, 1
_INITIATE_CLEAR, _CHECK_CLEAR, _CAPABILITIES = 5, 6, 7


def _timeout():
    return usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)


class UsbInstrument(IBackend):
    """``answer(message)`` gives the instrument's answer or None. What is set on it, goes wrong from then on."""

    def __init__(self, answer):
        self.answer = answer
        self.heard = []
        self.plugged, self.permitted = True, True
        self.stalls = self.deaf = False
        self.late = 0
        """How many answers come after their question was given up."""
        self.wrong_tag = False
        self.most = 1 << 20
        """Bytes in one transfer."""
        self.cleared = 0
        self.opens = 0
        self._message, self._answers, self._asked = bytearray(), deque(), None

    # what is found

    def enumerate_devices(self):
        return ["instrument"] if self.plugged else []

    def get_device_descriptor(self, dev):
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=VENDOR, idProduct=PRODUCT, bcdDevice=1, iManufacturer=1, iProduct=2,
            iSerialNumber=3, bNumConfigurations=1, address=5, bus=1, port_number=1, port_numbers=(1,), speed=3,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev, config):
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0xC0, bMaxPower=0, extra_descriptors=b"",
        )  # fmt: skip

    def get_interface_descriptor(self, dev, intf, alt, config):
        if intf or alt:
            raise IndexError("one interface")
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0, bNumEndpoints=2,
            bInterfaceClass=0xFE, bInterfaceSubClass=3, bInterfaceProtocol=1, iInterface=0, extra_descriptors=b"",
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev, ep, intf, alt, config):
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=(OUT, IN)[ep], bmAttributes=2, wMaxPacketSize=PACKET,
            bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=b"",
        )  # fmt: skip

    # opening

    def open_device(self, dev):
        self._must_be_there()
        if not self.permitted:
            raise usb.USBError("Access denied (insufficient permissions)", -3, errno.EACCES)
        self.opens += 1
        return "handle"

    def close_device(self, dev_handle): ...

    def get_configuration(self, dev_handle):
        return 1

    def claim_interface(self, dev_handle, intf): ...

    def release_interface(self, dev_handle, intf):
        self._must_be_there()

    def is_kernel_driver_active(self, dev_handle, intf):
        return False

    def clear_halt(self, dev_handle, ep):
        self.stalls = False

    # transfers

    def ctrl_transfer(self, dev_handle, bmRequestType, bRequest, wValue, wIndex, data, timeout):
        self._must_be_there()
        if (bmRequestType, bRequest) == (0x80, 6):
            answer = self._text(wValue)
        elif bRequest == _CAPABILITIES:
            answer = bytes([1]) + bytes(0x17)
        elif bRequest == _INITIATE_CLEAR:
            self._message.clear()
            self._answers.clear()
            self.cleared += 1
            answer = b"\x01"
        else:
            answer = {_CHECK_CLEAR: b"\x01\x00"}.get(bRequest, b"\x81\x00")
        data[: len(answer)] = type(data)("B", answer[: len(data)])
        return min(len(answer), len(data))

    def _text(self, value):
        """String descriptors: 0 is the languages."""
        if value == 0x300:
            return bytes([4, 3, 9, 4])
        text = {1: "RIGOL", 2: "DP832", 3: SERIAL}[value & 0xFF].encode("utf-16-le")
        return bytes([len(text) + 2, 3]) + text

    def bulk_write(self, dev_handle, ep, intf, data, timeout):
        self._must_be_there()
        if self.stalls:
            raise usb.USBError("Pipe error", -9, errno.EPIPE)
        if self.deaf:
            time.sleep(timeout / 1000)
            raise _timeout()
        frame = bytes(data)
        kind, tag, inverse, _, size = struct.unpack_from("<BBBBI", frame)
        assert inverse == ~tag & 0xFF
        assert len(frame) % 4 == 0
        if kind == _ASK:
            self._asked = (tag, size)
        else:
            assert kind == _TELL
            self._message += frame[12 : 12 + size]
            if frame[8] & 1:
                self._hear(bytes(self._message).decode().rstrip("\n"))
                self._message.clear()
        return len(frame)

    def _hear(self, message):
        self.heard.append(message)
        answer = self.answer(message)
        if answer is not None:
            self._answers.append(answer.encode() + b"\n")

    def bulk_read(self, dev_handle, ep, intf, buff, timeout):
        self._must_be_there()
        if not self._answers or self._asked is None or self.late:
            self.late -= bool(self.late)
            time.sleep(timeout / 1000)
            raise _timeout()
        (tag, size), answer = self._asked, self._answers.popleft()
        part, rest = answer[: min(size, self.most)], answer[min(size, self.most) :]
        if rest:
            self._answers.appendleft(rest)
        tag = tag % 255 + 1 if self.wrong_tag else tag
        frame = struct.pack("<BBBBIBxxx", _ASK, tag, ~tag & 0xFF, 0, len(part), not rest) + part
        frame += bytes(-len(frame) % 4)
        assert len(frame) <= len(buff)
        buff[: len(frame)] = type(buff)("B", frame)
        return len(frame)

    def _must_be_there(self):
        if not self.plugged:
            raise usb.USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)
