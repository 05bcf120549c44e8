"""The boot configuration that matters to drivers: test signing, and Secure Boot that forbids it.

Source: Microsoft, "The TESTSIGNING boot configuration option".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows


CONTROL_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control"


class SecureBootProtects(Exception):
    """The value is protected by Secure Boot policy."""


class BootOptions:
    """What is stored takes effect at the next boot."""

    def __init__(self, windows: Windows) -> None:
        self.secure_boot = windows.bench.config.secure_boot
        self._registry = windows.registry
        self.stored: dict[str, str] = {}
        """Elements of {current} that were set, by name: ``{"testsigning": "Yes"}``."""
        self._active: dict[str, str] = {}
        windows.at_boot(self._boot)

    @property
    def test_signing(self) -> bool:
        """Whether the running kernel takes test signatures."""
        return self._active.get("testsigning") == "Yes" and not self.secure_boot

    def set(self, element: str, value: str) -> None:
        """Store a value for the next boot. Raises SecureBootProtects."""
        if self.secure_boot and element in ("testsigning", "nointegritychecks", "debug"):
            raise SecureBootProtects(element)
        self.stored[element] = value

    def delete(self, element: str) -> bool:
        """Forget a value; False when none is stored."""
        return self.stored.pop(element, None) is not None

    def _boot(self) -> None:
        self._active = dict(self.stored)
        options = " TESTSIGNING" * self.test_signing + "  NOEXECUTE=OPTIN  FVEBOOT=2838528  NOVGA"
        self._registry.set(CONTROL_KEY, "SystemStartOptions", options)
