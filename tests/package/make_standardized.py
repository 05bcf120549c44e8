"""Makes hil/package/rules/standardized.json, the standardized keywords that the rules know, from the reference file.

    python tests/package/make_standardized.py ../shared/reference/inf-keywords.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "hil/package/rules/standardized.json"
DIRECT = ">=1000"
"""Key of the reference file for values that are a speed in Mbit/s."""


def entry(fact: dict[str, Any]) -> dict[str, Any]:
    """What a rule asks; facts that depend on the device or the computer are left out."""
    values = sorted(int(value) for value in fact.get("values", {}) if value != DIRECT)
    default = fact["default"]
    defaults = [default] if isinstance(default, int | str) else list(default.values()) if default else []
    # the documented minimum of *JumboPacket is what the certification script wants at most
    minimum = fact["min"] if isinstance(fact.get("min"), int) and fact["keyword"] != "*JumboPacket" else None
    # how many queues and processors to start with depends on link speed and MSI-X
    if fact["keyword"] in ("*NumRSSQueues", "*MaxRssProcessors"):
        defaults = []
    found = {
        "keyword": fact["keyword"],
        "type": fact["type"],
        "values": values,
        "direct_from": int(DIRECT[2:]) if DIRECT in fact.get("values", {}) else None,
        "minimum": minimum,
        "maximum": fact["max"] if isinstance(fact.get("max"), int) else None,
        "step": fact.get("step"),
        "defaults": [value for value in defaults if isinstance(value, int)],
        "ndis": fact["introduced_ndis"],
        "shown": fact["shown_in_ui"],
        "legacy": fact.get("legacy", False),
        "forbidden": fact.get("must_not_be_in_inf", False),
        "confirmed": fact["confirmed"],
        "source": fact["source"].rpartition("/")[2].rpartition(":")[2],
    }
    return {key: value for key, value in found.items() if value is not None and value != [] and value is not False}


def main() -> None:
    facts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    lines = ",\n".join(json.dumps(entry(fact)) for fact in facts)
    TARGET.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
