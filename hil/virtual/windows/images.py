"""Driver images in memory: loaded with the first device of a service, unloaded with its last."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.state import BoundDriver
    from hil.virtual.windows.system import Windows


@dataclass(frozen=True)
class LoadedImage:
    """Where an image came from, and the SHA-256 (hex, upper case) of what was loaded."""

    path: str
    sha256: str


class Images:
    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._loaded: dict[str, LoadedImage] = {}
        self._previous: dict[str, LoadedImage] = {}

    def find(self, service: str) -> LoadedImage | None:
        return self._loaded.get(service.lower())

    def load(self, driver: BoundDriver) -> None:
        """Into memory, unless another device of the service is there already."""
        name = driver.service.lower()
        if name not in self._loaded:
            last = self._previous.get(name)
            path = self._windows.bench.faults.loaded_image(driver.image_path, previous=last.path if last else None)
            if last is None or path != last.path or self._windows.files.exists(path):
                last = LoadedImage(path, hashlib.sha256(self._windows.files.read(path)).hexdigest().upper())
            self._loaded[name] = self._previous[name] = last
            self._windows.verifier.loaded(last.path)
        self._mark(driver.service, running=True)

    def unload(self, service: str) -> None:
        image = self._loaded.pop(service.lower(), None)
        if image:
            self._windows.verifier.unloaded(image.path)
        self._mark(service, running=False)

    def power_lost(self) -> None:
        self._loaded.clear()
        self._previous.clear()

    def _mark(self, service: str, *, running: bool) -> None:
        known = self._windows.services.find(service)
        if known:
            known.running = running
