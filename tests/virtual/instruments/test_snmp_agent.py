"""The virtual SNMP agent against datagrams that no manager should send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hil.virtual.instruments.snmp_agent import APC_RPDU2, Pdu, SnmpServer

GET = bytes.fromhex("30260201000406733363726574a019020101020100020100300e300c06082b060102010101000500")


def answer(datagram):
    try:
        return SnmpServer(Pdu(), APC_RPDU2, "s3cret")._answer(datagram)
    except ValueError:
        return None


def test_reference_question():
    """A GetRequest as net-snmp encodes it is answered with the description."""
    assert b"AP8932" in answer(GET)


@given(st.binary(max_size=200))
def test_any_datagram(datagram):
    """Random bytes are ignored, not fatal."""
    assert answer(datagram) is None


@given(st.integers(0, len(GET) - 1), st.integers(0, 255))
def test_one_wrong_byte(position, byte):
    """A question with any one byte changed is answered or ignored, never fatal."""
    answer(GET[:position] + bytes([byte]) + GET[position + 1 :])
