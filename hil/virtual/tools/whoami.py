"""whoami.exe: who runs this, and /groups with the integrity level by which a token shows that it is elevated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall

_ADMINISTRATORS = "Group used for deny only", "Mandatory group, Enabled by default, Enabled group, Group owner"
_LEVELS = ("Medium", "S-1-16-8192"), ("High", "S-1-16-12288")


async def run(call: ToolCall) -> int:
    name = f"{call.windows.computer_name}\\{call.windows.user}".lower()
    flags = [argument.lower() for argument in call.args]
    if not flags:
        call.out(name)
    elif "/groups" in flags:
        level, sid = _LEVELS[call.windows.elevated]
        rows = [
            ("Everyone", "Well-known group", "S-1-1-0", "Mandatory group, Enabled by default, Enabled group"),
            (r"BUILTIN\Administrators", "Alias", "S-1-5-32-544", _ADMINISTRATORS[call.windows.elevated]),
            (rf"Mandatory Label\{level} Mandatory Level", "Label", sid, ""),
        ]
        if "csv" in flags:
            call.out('"Group Name","Type","SID","Attributes"' if "/nh" not in flags else "")
            for row in rows:
                call.out(",".join(f'"{cell}"' for cell in row))
        else:
            call.out("\nGROUP INFORMATION\n-----------------\n")
            for row in rows:
                call.out("  ".join(f"{cell:<40}" for cell in row).rstrip())
    elif flags[0] == "/user":
        call.out(f"\nUSER INFORMATION\n----------------\n\n{name} S-1-5-21-3623811015-3361044348-30300820-1013")
    else:
        call.err(f"ERROR: Invalid argument/option - '{call.args[0]}'.\nType \"WHOAMI /?\" for usage.")
        return 1
    return 0
