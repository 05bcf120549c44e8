"""Secrets are looked up when they are needed, never stored in a testbed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from hil.errors import UsageError
from hil.testbed.model import Secret, Section


def all_secrets(described: object) -> Iterator[str]:
    """What every reference in a testbed stands for, as far as it is there; for a journal to mask before all else."""
    if isinstance(described, Secret):
        with suppress(UsageError):  # told where it is needed
            yield reveal(described, "")
    elif isinstance(described, Section):
        for name in type(described).model_fields:
            yield from all_secrets(getattr(described, name))
    elif isinstance(described, Mapping):
        for value in described.values():
            yield from all_secrets(value)
    elif isinstance(described, list | tuple):
        for value in described:
            yield from all_secrets(value)


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
