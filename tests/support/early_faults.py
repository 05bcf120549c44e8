"""Faults that show at once; those of the suites wait for their occasion."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults.windows import HangsInThirdResume


class HangsInFirstResume(HangsInThirdResume):
    """As its base, without the two good resumes before."""

    hanging_resume: ClassVar = 1
