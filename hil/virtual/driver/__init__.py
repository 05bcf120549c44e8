"""The sample driver package of the virtual bench, really built and really signed when the bench starts."""

from hil.virtual.driver.packages import SamplePackages, build

__all__ = ["SamplePackages", "build"]
