"""Instruments of the virtual bench: servers on loopback, coupled to the machine."""

from hil.virtual.instruments.assembly import Instruments, MachinePort

__all__ = ["Instruments", "MachinePort"]
