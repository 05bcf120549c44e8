"""Event logs as a file for people and their tools.

As XML, since an .evtx file can only be made by Windows, on its own disk, and fetched; wevtutil writes the same records
to its output, and any computer reads them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hil.windows.event_log import LOGS

if TYPE_CHECKING:
    from hil.windows.machine import Machine

NO_SUCH_LOG = 15007
"""ERROR_EVT_CHANNEL_NOT_FOUND."""
_MOST = 2000
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def export_xml(machine: Machine, seconds: float) -> str:
    """Records of the last seconds, log by log, oldest first and 2000 of each at most, as one XML document.

    Raises BenchError when the machine does not give them.
    """
    query = f"*[System[TimeCreated[timediff(@SystemTime) <= {int(seconds * 1000)}]]]"
    parts = [
        machine.tool("wevtutil", "qe", log, f"/q:{query}", "/f:xml", f"/c:{_MOST}", ok=(0, NO_SUCH_LOG)) for log in LOGS
    ]
    # wevtutil writes in the console's code page; what is not ASCII in it are names of people and files
    records = "".join(part.stdout.decode("utf-8", "replace") for part in parts if part.exit_code == 0)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<Events>\n{_NOT_IN_XML.sub("?", records)}</Events>\n'
