"""How long a check of driver packages takes: one of 40 files as a command, and 1000 INF files.

    python benchmarks/package.py [--infs FOLDER] [--repeat N]

FOLDER holds public INF files, of which 1000 are taken, evenly, and 1000 that install network adapters; without it, 1000
copies of the sample with 300 models each are read, which is about the size of a vendor's. Each figure is the median of
N runs; the last column is its share of the limit. ``cpu`` is what the run itself used, on a computer that is busy with
other things too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from hil.clock import now_s
from hil.package.check import check, check_inf
from hil.virtual.driver import image
from hil.virtual.driver.inf_text import HARDWARE_IDS, Release, inf_text
from hil.virtual.driver.signing import Publisher

ROOT = Path(__file__).parents[1]
FILES, INFS, MODELS = 40, 1000, 300
EXTRA_BYTES = 250_000
SAMPLE = Release("2.1.0.0", date(2025, 9, 15))


def package(folder: Path) -> None:
    """A signed package of 40 files, 9 MB: the sample with 37 data files more."""
    now = datetime(2025, 9, 15, tzinfo=UTC)
    extra = {f"firmware{number}.bin": bytes([number]) * EXTRA_BYTES for number in range(FILES - 3)}
    text = inf_text(SAMPLE, 1000)
    text = text.replace(f"{SAMPLE.sys_name} = 1", "\r\n".join(f"{name} = 1" for name in (SAMPLE.sys_name, *extra)))
    text = text.replace(f"[HilNic.copy]\r\n{SAMPLE.sys_name}", "\r\n".join(("[HilNic.copy]", SAMPLE.sys_name, *extra)))
    driver = image.driver(SAMPLE.sys_name, SAMPLE.version, "x", now)
    files = {SAMPLE.inf_name: text.encode("ascii"), SAMPLE.sys_name: driver, **extra}
    files[SAMPLE.cat_name] = Publisher.create("Benchmark", now).sign_catalog(files, HARDWARE_IDS, now)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def generated() -> list[bytes]:
    """1000 INFs with 300 models in 30 install sections each."""
    text = inf_text(SAMPLE, 1000)
    start, end = text.index("[HilNic.ndi.NTamd64]"), text.index("[HilNic.service]")
    section = text[start:end]
    models = "".join(rf"%Device% = N{n % 30}.ndi, PCI\VEN_1D0F&DEV_{n:04X}" + "\r\n" for n in range(MODELS))
    text += "\r\n[HilNic.NTamd64.10.0...19041]\r\n" + models
    text += "".join(section.replace("HilNic.ndi", f"N{n}.ndi") for n in range(30))
    return [text.replace("2.1.0.0", f"2.1.0.{n}").encode("ascii") for n in range(INFS)]


def public(folder: Path) -> dict[str, list[bytes]]:
    """1000 INFs of the folder, and 1000 network INFs, evenly; fewer when it has not as many."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".inf" and path.is_file()]
    every = [path.read_bytes() for path in files]
    network = [data for data in every if b"4d36e972" in data.replace(b"\0", b"").lower()]
    return {"public INFs": _evenly(every), "public network INFs": _evenly(network)}


def _evenly(found: list[bytes]) -> list[bytes]:
    return [found[len(found) * n // INFS] for n in range(INFS)] if len(found) > INFS else found


def median(act: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Seconds by the clock, and of the processor (own and of ended processes)."""
    times = []
    for _ in range(repeat):
        started, used = now_s(), sum(os.times()[:4])
        act()
        times.append((now_s() - started, sum(os.times()[:4]) - used))
    return statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--infs", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    corpora = public(options.infs) if options.infs else {"generated INFs": generated()}
    with tempfile.TemporaryDirectory() as name:
        package(Path(name))
        command = [sys.executable, "-m", "hil.cli", "package", "check", name]
        (report,) = check(Path(name))
        assert not report.findings, report.findings
        rows = [
            (f"command, package of {FILES} files", 0.5, median(lambda: _run(command), options.repeat)),
            ("the same without the process", 0.5, median(lambda: check(Path(name)), options.repeat)),
        ]
    for name, infs in corpora.items():
        taken = median(partial(_check_all, infs), min(options.repeat, 3))
        rows.append((f"{len(infs)} {name}, {sum(map(len, infs)) / 1e6:.0f} MB", 10.0 * len(infs) / INFS, taken))
    print(f"{'what':<40} {'median':>9} {'cpu':>9} {'limit':>9} {'share':>7}")
    for what, limit_s, (wall_s, cpu_s) in rows:
        print(f"{what:<40} {wall_s:>7.3f} s {cpu_s:>7.3f} s {limit_s:>7.2f} s {wall_s / limit_s:>7.2f}")


def _check_all(infs: list[bytes]) -> None:
    for data in infs:
        check_inf(data, "x.inf")


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


if __name__ == "__main__":
    main()
