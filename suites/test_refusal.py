"""What Windows must refuse: packages and images whose signature is missing, broken, over or taken back."""

from __future__ import annotations

import pytest

from hil.windows import PackageRefused, trust
from hil.windows.event_log import CODE_INTEGRITY, CODE_INTEGRITY_LOG, EventLog
from hil.windows.installed import differences, surroundings

UNSIGNED_DRIVER = 52
"""CM_PROB_UNSIGNED_DRIVER"""
NO_VALID_SIGNATURE = 3004
CODES = {
    # catalog not signed; INF without catalog
    "unsigned": (0xE0000247, 0xE000022F),
    # ERROR_FILE_HASH_NOT_IN_CATALOG
    "broken": (0xE000024B,),
    # CERT_E_EXPIRED
    "expired": (0x800B0101,),
    # TRUST_E_EXPLICIT_DISTRUST; CERT_E_REVOKED. Which one pnputil hands through for such a certificate is unconfirmed
    "revoked": (0x800B0111, 0x800B010C),
}


@pytest.fixture
def trusted(machine, undo):
    """``trusted(package)``: nothing else is wrong with its signer than what the test is about."""

    def put(package):
        if signer := package.catalog.signer_certificate:
            trust.put(machine, signer, "TrustedPublisher")
            undo(trust.take, machine, signer, "TrustedPublisher")

    return put


@pytest.fixture
def must_be_refused(driver, adapter, store, package, traffic, undo):
    """Asserts that a package is refused with one of the codes while the driver at work goes on to carry traffic."""

    def check(bad, codes):
        undo(store.restore, package)
        stored = store.list()
        others = surroundings(adapter, stored, [package])
        with traffic.tcp(streams=1) as load, pytest.raises(PackageRefused) as refusal:
            store.add(bad)
        code = refusal.value.exit_code_seen
        assert code in codes, refusal.value
        assert f"FAILURE(0x{code:08x})" in refusal.value.setup_log, "setupapi.dev.log tells another code"
        assert not load.result.broken, f"the driver at work was disturbed: {load.result.broken}"
        assert store.list() == stored
        assert not differences(adapter, store, package, stored)
        assert surroundings(adapter, stored, [package]) == others

    return check


@pytest.mark.requires("partner")
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.requires(f"{kind}_package")) for kind in ("unsigned", "broken", "expired")],
)
def test_package_is_refused(kind, packages, trusted, must_be_refused):
    """A package that nobody signed, that was changed since, or whose certificate is over is refused; nothing changes.

    This is what keeps a tampered kernel driver off the machine.
    """
    bad = packages(kind)
    if kind == "expired":
        trusted(bad)
    must_be_refused(bad, CODES[kind])


@pytest.mark.requires("partner", "revoked_package")
def test_distrusted_publisher_is_refused(machine, store, package, packages, trusted, must_be_refused, undo):
    """A package is taken while its publisher is trusted, and refused once the certificate is among the untrusted ones.

    A stolen signing key is worth as long as machines believe it.
    """
    bad = packages("revoked")
    trusted(bad)
    # a run that was killed may have left it there
    trust.take(machine, bad.catalog.signer_certificate, "Disallowed")
    undo(store.restore, package)
    taken = store.add(bad, install=False)
    assert taken.exit_code == 0
    store.uninstall(taken.published)
    trust.put(machine, bad.catalog.signer_certificate, "Disallowed")
    undo(trust.take, machine, bad.catalog.signer_certificate, "Disallowed")
    must_be_refused(bad, CODES["revoked"])


@pytest.mark.requires("test_signature")
@pytest.mark.expects("reboot")
def test_test_signature_needs_test_signing(driver, machine, adapter, store, package, undo):
    """With test signing off the kernel loads no test-signed image: code 52 and Code Integrity 3004; on again, it does.

    A test build that reaches a customer must not run there, and must be told from a defect.
    """
    others = surroundings(adapter, store.list(), [package])
    undo(machine.reboot)
    undo(trust.set_test_signing, machine, True)
    trust.set_test_signing(machine, False)
    log = EventLog(machine.shell, [CODE_INTEGRITY_LOG])
    mark = log.mark()
    machine.reboot()
    assert adapter.problem() == UNSIGNED_DRIVER
    assert not machine.loaded_image(package.service).running
    refused = log.since(mark, CODE_INTEGRITY, [NO_VALID_SIGNATURE])
    assert any(package.driver.lower() in str(event.fields).lower() for event in refused), refused
    assert surroundings(adapter, store.list(), [package]) == others
