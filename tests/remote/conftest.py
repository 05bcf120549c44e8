"""A machine to speak with: the virtual machine's SSH server in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from ssh_machine import SshMachine

from hil.remote import PowerShell, SshSession

hypothesis.settings.register_profile("busy computer", deadline=None)
hypothesis.settings.load_profile("busy computer")


@pytest.fixture(scope="module")
def machine() -> Iterator[SshMachine]:
    with SshMachine() as machine:
        yield machine


@pytest.fixture
def fresh_machine() -> Iterator[SshMachine]:
    """One that a test may stall or cut off."""
    with SshMachine() as machine:
        yield machine


@pytest.fixture
def session(machine: SshMachine) -> Iterator[SshSession]:
    with SshSession(machine.ssh) as session:
        yield session


@pytest.fixture(params=["pwsh", "powershell"])
def shell(request: pytest.FixtureRequest, session: SshSession) -> Iterator[PowerShell]:
    shell = PowerShell(session, request.param)
    yield shell
    shell.close()
