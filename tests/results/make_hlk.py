"""Makes hil/results/hlk.json, the catalogue of HLK tests and requirements, from the reference files.

    python tests/results/make_hlk.py ../shared/reference/hlk-lan.json ../shared/reference/hlk-requirements.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "hil/results/hlk.json"


def test(fact: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of an HLK test, and what it is grouped by."""
    return {
        "name": fact["test"],
        "category": fact["category"],
        "what": fact["what"],
        "machines": fact["machines"],
        "needs": fact["needs"],
        "os": fact["os"],
        "retired": bool(fact.get("retired")),
        "confirmed": fact["confirmed"],
    }


def requirement(fact: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": fact["id"],
        "title": fact["title"],
        "gist": fact["gist"],
        "optional": fact["kind"] != "required",
        "tests": fact["tests"],
    }


def main() -> None:
    tests, requirements = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
    made = {"tests": [test(one) for one in tests], "requirements": [requirement(one) for one in requirements]}
    lines = {name: ",\n".join("  " + json.dumps(one) for one in rows) for name, rows in made.items()}
    text = ",\n".join(f' "{name}": [\n{rows}\n ]' for name, rows in lines.items())
    TARGET.write_text("{\n" + text + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
