"""Frames, load and counters between the machine and its link partner."""

from hil.traffic.iperf3 import Direction, TcpResult, UdpResult
from hil.traffic.partner import LocalPartner, Partner, SshPartner, open_partner
from hil.traffic.port import Capture, CapturedFrame, Kept, KeptFrame, PortCounters
from hil.traffic.traffic import TcpLoad, Traffic

__all__ = [
    "Capture",
    "CapturedFrame",
    "Direction",
    "Kept",
    "KeptFrame",
    "LocalPartner",
    "Partner",
    "PortCounters",
    "SshPartner",
    "TcpLoad",
    "TcpResult",
    "Traffic",
    "UdpResult",
    "open_partner",
]
