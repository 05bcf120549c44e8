"""What a crash leaves behind on this machine: without it, a red night cannot be explained."""

from __future__ import annotations

import pytest

from hil.windows import IncidentKind
from hil.windows.crash import PROVOKED


@pytest.mark.requires("bugcheck")
@pytest.mark.expects("bugcheck")
def test_every_bugcheck_leaves_its_dump(driver, adapter, machine):
    """Two bugchecks in a row: each is told with its code, leaves a dump of its own, and the machine comes back.

    A lab that finds the second dump in place of the first, or none, cannot say what crashed its driver in the night.
    """
    begin = machine.crashes.mark()
    for number in (1, 2):
        mark, boot = machine.crashes.mark(), machine.boot()
        machine.crashes.provoke()
        machine.wait_booted(after=boot)
        found = machine.crashes.since(mark)
        assert [(one.kind, one.code) for one in found] == [(IncidentKind.BUGCHECK, PROVOKED)]
        assert machine.crashes.settle(mark, found), f"no {found[0].dump} was written"
        small = [dump for dump in machine.crashes.new_dumps(begin) if "minidump" in dump.path.lower()]
        assert len(small) == number, f"after bugcheck {number}: {[dump.path for dump in small]}"
    adapter.wait_up()
    assert adapter.problem() == 0
