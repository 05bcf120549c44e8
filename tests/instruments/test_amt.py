"""Intel AMT: power switched out of band by WS-Management, against a controller that reads envelopes by itself."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BenchError, UsageError
from hil.instruments import OutOfBand, Switch, open_instrument
from hil.instruments.amt import properties
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.testbed.model import Instrument, Secret
from hil.virtual.instruments.amt_server import AmtServer
from hil.virtual.instruments.server import Mishap
from hil.virtual.power_state import Power

PASSWORD = "P@ssw0rd&<"


@pytest.fixture
def engine(lab):
    """``engine()``: the management engine of a machine that only remembers."""
    started = []

    def start(**options):
        server = AmtServer(lab.ends, "PC0001", user="admin", password=PASSWORD, **options)
        lab.run(server.start())
        started.append(server)
        return server

    yield start
    for server in started:
        lab.run(server.close())


@pytest.fixture
def opened(journal, tmp_path):
    """``opened(server)``: the role object, which may wait 0.3 s for a position."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)

    def open_engine(server, **changes):
        spec = Instrument(
            role="out_of_band", family="intel-amt", resource=server.resource, serial="PC0001", user="admin",
            secret=Secret(file=password), timeout_s=1.0,
        )  # fmt: skip
        found = open_instrument("amt", spec.model_copy(update=changes), journal)
        found._timing = replace(found._timing, confirm_s=0.3)
        return found

    return open_engine


def test_off_and_on(lab, engine, opened, records):
    """The machine is switched off and on as its engine says, whatever Windows does, and no password is written down.

    It is the last means for a machine that hangs, on a bench without a switched outlet.
    """
    amt = opened(engine())
    assert isinstance(amt, OutOfBand)
    assert str(amt.identity) == "HIL Lab, Virtual PC, serial PC0001"
    assert amt.state() is Switch.ON
    amt.off()
    assert amt.state() is Switch.OFF
    amt.on()
    assert lab.ends.done == [("power", False), ("power", True)]
    assert PASSWORD not in str(records)


@pytest.mark.parametrize("power", [Power.ASLEEP, Power.HIBERNATED])
def test_asleep_is_neither(lab, engine, opened, power):
    """A machine that sleeps is neither on nor off, and is on after it was switched on."""
    amt = opened(engine())
    lab.ends.power = power
    assert amt.state() is Switch.UNKNOWN
    amt.on()
    assert lab.ends.done == [("power", True)]


def test_says_yes_and_does_nothing(engine, opened):
    """Return value 0 is no proof: a request that an engine took and forgot is found by reading back."""
    server = engine()
    amt = opened(server)
    server.ignores_sets = True
    with pytest.raises(BenchError, match="reads back on"):
        amt.off()


def test_refused(lab, engine, opened):
    """A return value other than 0 is told with its number."""
    amt = opened(engine())
    lab.ends.power = Power.OFF
    with pytest.raises(InstrumentRefused, match="return value 2"):
        amt._contact.set(False)


def test_wrong_machine(engine, opened):
    """Another machine at the address is refused at open, and after a lost answer too: nothing is switched."""
    server = engine()
    with pytest.raises(WrongInstrument, match="PC0002"):
        opened(server, serial="PC0002")
    amt = opened(server)
    server.rename("PC0003")
    server.habits.mishaps.append(Mishap.RST)
    with pytest.raises(WrongInstrument, match="PC0003"):
        amt.off()


def test_wrong_password(engine, opened, tmp_path):
    """A refused logon is said as such."""
    (tmp_path / "wrong").write_text("wrong")
    with pytest.raises(InstrumentRefused, match="401"):
        opened(engine(), secret=Secret(file=tmp_path / "wrong"))


def test_without_mains(lab, engine, opened):
    """It lives on standby power: without mains it is lost, which is no word about the machine's state."""
    amt = opened(engine())
    lab.ends.mains = False
    with pytest.raises(InstrumentLost):
        amt.state()


@pytest.mark.parametrize("mishap", [Mishap.SILENT, Mishap.HALF, Mishap.FIN, Mishap.RST, Mishap.GARBAGE])
def test_spoilt_answer_to_a_set(lab, engine, opened, mishap):
    """A request whose answer is lost is made again, since it names a position; the machine is switched once."""
    server = engine()
    amt = opened(server, timeout_s=0.3)
    amt._contact.read()
    server.habits.mishaps += [Mishap.PASS, mishap]
    amt.off()
    assert lab.ends.done == [("power", False)]


@pytest.fixture
def self_signed(tmp_path):
    """``self_signed("name")``: a server's TLS context, and the certificate's file."""

    def make(name):
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        signed = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1)).sign(
            key, hashes.SHA256()
        )  # fmt: skip
        pem, encoding = tmp_path / f"{name}.pem", serialization.Encoding.PEM
        pem.write_bytes(signed.public_bytes(encoding))
        plain = serialization.NoEncryption()
        secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
        (tmp_path / f"{name}.key").write_bytes(secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, tmp_path / f"{name}.key")
        return context, pem

    return make


def test_https(lab, engine, opened, self_signed):
    """Over TLS the certificate of the testbed is wanted: an engine signs its own, in a name that nobody resolves.

    Another one's is refused before the password is sent, and one that nobody named is not trusted.
    """
    context, pem = self_signed("engine")
    _, other = self_signed("other")
    server = engine(tls=context)
    opened(server, certificate=pem).off()
    assert lab.ends.done == [("power", False)]
    for certificate in (other, None):
        with pytest.raises(InstrumentLost, match="CERTIFICATE_VERIFY_FAILED"):
            opened(server, certificate=certificate)


def test_certificate_that_is_none(engine, opened, tmp_path):
    """A file without a certificate is the person's to mend."""
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(UsageError, match="certificate of amt"):
        opened(engine(), certificate=tmp_path / "empty.pem")


@given(st.binary(max_size=200) | st.text(alphabet="<>/a:&;\"= ").map(str.encode))
def test_any_answer_is_read_or_refused(answer):
    """Whatever is answered is properties or a ValueError."""
    try:
        properties(answer, "CIM_Chassis", "CIM_Chassis")
    except ValueError:
        return


def test_properties_of_the_right_class():
    """An element of the same name in another class is not taken for it."""
    envelope = ElementTree.Element("x")
    ElementTree.SubElement(envelope, "{urn:other}CIM_Chassis")
    with pytest.raises(ValueError, match="no CIM_Chassis"):
        properties(ElementTree.tostring(envelope), "CIM_Chassis", "CIM_Chassis")
