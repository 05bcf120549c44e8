"""How we speak with Windows: SSH sessions, PowerShell remoting, transfer of files."""

from hil.remote.command import Command, Pipeline
from hil.remote.errors import (
    CommandTimeout,
    ConnectionLost,
    ErrorDetail,
    HostKeyMismatch,
    PowerShellError,
    SshRefused,
    SshUnreachable,
)
from hil.remote.objects import PSEnum, PSObject
from hil.remote.psrp import PowerShell, Result
from hil.remote.ssh import Completed, SshSession, host_key_offered
from hil.remote.transfer import download, upload

__all__ = [
    "Command",
    "CommandTimeout",
    "Completed",
    "ConnectionLost",
    "ErrorDetail",
    "HostKeyMismatch",
    "PSEnum",
    "PSObject",
    "Pipeline",
    "PowerShell",
    "PowerShellError",
    "Result",
    "SshRefused",
    "SshSession",
    "SshUnreachable",
    "download",
    "host_key_offered",
    "upload",
]
