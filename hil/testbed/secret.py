"""Secrets are looked up when they are needed, never stored in a testbed."""

from __future__ import annotations

import os

from hil.errors import UsageError
from hil.testbed.model import Secret


def reveal(secret: Secret, where: str) -> str:
    """What the reference stands for; ``where`` names the testbed key. Raises UsageError when it is not there."""
    if secret.env is not None:
        if secret.env not in os.environ:
            raise UsageError("a secret in the environment", seen=f"{secret.env} is not set", where=where)
        return os.environ[secret.env]
    if secret.file is not None:
        try:
            return secret.file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise UsageError("a secret in a file", seen=str(error), where=where) from error
    import keyring  # optional: extra "keyring"

    service, _, user = (secret.keyring or "").partition("/")
    found = keyring.get_password(service, user)
    if found is None:
        raise UsageError("a secret in the keyring", seen=f"there is no {secret.keyring}", where=where)
    return str(found)
