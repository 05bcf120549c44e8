"""Instruments of the virtual bench: SCPI servers on loopback, coupled to the machine's power, slot, cable and button."""

from hil.virtual.instruments.assembly import Instruments, MachinePort

__all__ = ["Instruments", "MachinePort"]
