"""The servers of the virtual instruments against bytes that no client should send."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from instrument_lab import InstrumentLab

from hil.instruments.session import Session
from hil.journal import Journal
from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.hislip_server import HislipServer
from hil.virtual.instruments.server import SocketServer
from hil.virtual.instruments.vxi11_server import Vxi11Server


@pytest.fixture(scope="module")
def shared_lab():
    lab = InstrumentLab()
    yield lab
    lab.close()


@pytest.fixture(scope="module", params=[SocketServer, HislipServer, Vxi11Server], ids=["socket", "hislip", "vxi11"])
def server(request, shared_lab):
    server = request.param(ScpiDevice("HIL Lab", "Core", "C-1"))
    shared_lab.serve(server)
    return server


def send(server, data):
    """What a client sees that sends ``data`` and ends its half of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client, suppress(ConnectionError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        seen = b""
        while chunk := client.recv(65536):
            seen += chunk
        return seen
    return b""


def alive(server):
    with Session("core", server.resource, Journal()) as session:
        return session.identity.serial == "C-1"


def hislip(kind, control=0, parameter=0, payload=b""):
    return struct.pack("!2sBBIQ", b"HS", kind, control, parameter, len(payload)) + payload


def rpc(*numbers):
    body = struct.pack(f">{len(numbers)}I", *numbers)
    return struct.pack(">I", 0x80000000 | len(body)) + body


messages = st.one_of(
    st.binary(max_size=200),
    st.builds(hislip, st.integers(0, 40), st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=50)),
    st.builds(lambda first, rest: hislip(0, payload=b"hislip0") + first + rest, st.binary(max_size=30), st.binary()),
    st.builds(
        lambda procedure, rest: rpc(1, 0, 2, 0x0607AF, 1, procedure, 0, 0, 0, 0, *rest),
        st.integers(0, 30), st.lists(st.integers(0, 2**32 - 1), max_size=8),
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=messages)
def test_no_bytes_bring_a_server_down(server, data):
    """Whatever one client sends, its connection ends and the next client is served."""
    send(server, data)
    assert alive(server)


def test_hislip_refuses_what_ivi_6_1_refuses(shared_lab):
    """A bad header and a second channel without a first are fatal errors with their codes; an unknown type is not."""
    server = HislipServer(ScpiDevice("HIL Lab", "Core", "C-1"))
    shared_lab.serve(server)
    assert send(server, b"HTTP/1.1 GET / 0000")[2:4] == bytes([2, 1])
    assert send(server, hislip(17, parameter=999))[2:4] == bytes([2, 3])
    assert send(server, hislip(0, payload=b"hislip0") + hislip(99))[16:][2:4] == bytes([3, 1])


def test_vxi11_answers_calls_it_does_not_know(shared_lab):
    """Another program, an unknown procedure and arguments cut short are told apart as RFC 5531 wants."""
    server = Vxi11Server(ScpiDevice("HIL Lab", "Core", "C-1"))
    shared_lab.serve(server)

    def accepted(*numbers):
        return struct.unpack_from(">I", send(server, rpc(7, 0, 2, *numbers)), 4 + 20)[0]

    assert accepted(0x0607B0, 1, 10, 0, 0, 0, 0) == 1
    assert accepted(0x0607AF, 1, 99, 0, 0, 0, 0, 5) == 3
    assert accepted(0x0607AF, 1, 10, 0, 0, 0, 0, 5) == 4
    assert accepted(0x0607AF, 1, 0, 0, 0, 0, 0) == 0
