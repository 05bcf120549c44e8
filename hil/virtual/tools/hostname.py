"""hostname.exe"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall


async def run(call: ToolCall) -> int:
    call.out(call.windows.computer_name)
    return 0
