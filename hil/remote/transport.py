"""A paramiko transport that says nothing on a channel after its CLOSE."""

from __future__ import annotations

import struct

import paramiko
from paramiko.common import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
)

_ON_AN_OPEN_CHANNEL = frozenset(
    (
        MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_REQUEST, MSG_CHANNEL_WINDOW_ADJUST,
    )
)  # fmt: skip


class Transport(paramiko.Transport):
    """Puts right an order that paramiko leaves to chance (its issues #1115, #1584 and #1705, open).

    A thread of ours makes a message (an EOF, data, a window) and sends it later; in between paramiko's reader may
    answer the server's CLOSE of that channel, for a program that ended at once. A message after CLOSE breaks RFC 4254
    (5.3), and sshd ends the whole connection for it: "packet referred to nonexistent channel" (OpenSSH, channels.c).
    """

    def _send_message(self, data: paramiko.Message) -> None:
        """Called with the lock that orders all sends; a channel is marked closed before its CLOSE comes here."""
        sent = data.asbytes()
        if sent[0] in _ON_AN_OPEN_CHANNEL:
            (remote,) = struct.unpack_from(">I", sent, 1)
            channels = self._channels.values()  # type: ignore[attr-defined] # the types leave it out
            if not any(one.remote_chanid == remote and not one.closed for one in channels):
                return
        super()._send_message(data)  # type: ignore[misc] # the types leave it out
