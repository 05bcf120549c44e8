"""The same tests on both databases: a file, and a PostgreSQL server of this process."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from sqlalchemy import make_url

from hil.history.store import History

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """Each worker of pytest-xdist has one, which takes it half a second of processor time."""
    if not postgres.INSTALLED:
        pytest.skip(postgres.MISSING)
    # not pytest's folder: the path of a socket must be short
    with tempfile.TemporaryDirectory(prefix="hil-pg-") as folder, postgres.server(Path(folder) / "pg") as running:
        yield running


class Databases:
    """New databases of one kind, empty ones or copies of one that has the tables."""

    def __init__(self, kind: str, folder: Path, server: postgres.Server | None) -> None:
        self._kind, self._folder, self._server = kind, folder, server
        self._numbers = itertools.count()
        self._template = self.empty()
        History(self._template).close()

    def empty(self) -> str:
        if self._server is not None:
            return self._server.database()
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.sqlite'}"

    def ready(self) -> str:
        if self._server is not None:
            return self._server.database(str(make_url(self._template).database))
        url = self.empty()
        shutil.copyfile(self._template.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        return url


@pytest.fixture(scope="session", params=DATABASES)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    kind = str(request.param)
    server = request.getfixturevalue("server") if kind == "postgresql" else None
    return Databases(kind, tmp_path_factory.mktemp(kind), server)


@pytest.fixture
def url(databases: Databases) -> str:
    """A history without a run."""
    return databases.ready()


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History(url) as opened:
        yield opened
