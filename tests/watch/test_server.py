"""What is served, to whom, and what is not."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_run import NIGHT, a_run, a_test
from a_watch import GoingRun, Stream, hil_watch, watching

from hil.clock import Deadline
from hil.errors import UsageError
from hil.results.writing import write_reports
from hil.watch.board import Board
from hil.watch.server import Server


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("outer") / "reports"
    write_reports(a_run(reports / "night", NIGHT))
    (reports.parent / "secret.txt").write_text("secret")
    (reports / "leads-out").symlink_to(reports.parent)
    (reports / "night/artifacts/index.html").symlink_to(reports.parent / "secret.txt")
    (reports / ".hidden").write_text("hidden")
    (reports / "latest").symlink_to("night")
    return reports


@pytest.fixture(scope="module")
def server(reports: Path) -> Iterator[Server]:
    with watching(reports) as server:
        yield server


def ask(server: Server, path: str, *, method: str = "GET", host: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    return connection.getresponse()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"), ("/reports/night/index.html", "text/html"), ("/reports/night/", "text/html"),
        ("/reports/latest/results.jsonl", "text/plain"), ("/reports/night/assets/tests.js", "text/javascript"),
        ("/reports/night/artifacts/MEMORY.DMP?x=1#y", "application/"), ("/reports/night/tests/", "text/html"),
    ],
)  # fmt: skip
def test_served(server: Server, path: str, kind: str) -> None:
    """The page, the reports it leads to, and all that those lead to."""
    answer = ask(server, path)
    assert (answer.status, answer.headers["Content-Type"].startswith(kind)) == (200, True)
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.read()) > 5


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt", "/reports/../secret.txt", "/reports/%2e%2e/secret.txt", "/reports/night/..%2f../../secret.txt",
        "/reports/leads-out/secret.txt", "/reports/night/artifacts/", "/reports/.hidden", "/reports//etc/passwd",
        "/reports/%00", "/reports/night%5c..", "/etc/passwd", "/night/index.html", "/reports/" + "x" * 5000,
        "//x/", "/%",
        "/reports/night/../../secret.txt",
    ],
)  # fmt: skip
def test_not_served(server: Server, path: str) -> None:
    """Nothing outside of the folder of reports, whatever is asked, nor through a link that leads out."""
    answer = ask(server, path)
    assert answer.status == 404
    assert b"secret" not in answer.read().replace(path.encode(), b"")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("[::1]:8470", 200), ("10.0.0.7:8470", 200), (socket.gethostname(), 200),
        ("evil.example", 403), ("localhost.evil.example:8470", 403), ("127.0.0.1.evil.example", 403), ("x@y", 403),
    ],
)  # fmt: skip
def test_other_names_are_refused(server: Server, host: str, status: int) -> None:
    """A site whose name leads to this computer (DNS rebinding) does not get to read reports."""
    assert ask(server, "/", host=host).status == status
    assert ask(server, "/events", host=host).status == status
    assert ask(server, "/reports/night/index.html", host=host, method="HEAD").status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server: Server, method: str) -> None:
    """There is nothing but reading."""
    assert ask(server, "/reports/night/index.html", method=method).status == 501


def test_a_port_in_use_is_told(server: Server, reports: Path) -> None:
    """A second watch on the same port says so, and what to do."""
    with pytest.raises(UsageError, match=r"choose another --port"):
        Server("127.0.0.1", server.server_port, reports, Board(reports))


def test_states_are_streamed(tmp_path: Path) -> None:
    """From before the first run to its end, to two readers, without asking again."""
    with watching(tmp_path / "reports") as server:
        streams = Stream(server.url), Stream(server.url)
        assert streams[0].until(bool)["now"] == []
        run = GoingRun(tmp_path / "reports/night")
        run.begin(0)
        for stream in streams:
            stream.until(lambda state: state["now"] and state["now"][0]["test"])
        run.end(a_test("test_0", "passed"))
        run.over()
        run.close()
        for stream in streams:
            assert stream.until(lambda state: not state["now"])["past"][0]["exit_code"] == 0
            stream.close()


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    """Neither a reader that listens nor one that says nothing keeps the server, and no thread stays."""
    before = threading.active_count()
    with watching(tmp_path) as server:
        stream = Stream(server.url)
        stream.until(bool)
        idle = socket.create_connection(("127.0.0.1", server.server_port))
        deadline = Deadline(5.0)
    assert not deadline.expired
    assert threading.active_count() == before
    stream.close()
    idle.close()


def test_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    """In good order, and at once, although a page listens."""
    with hil_watch(tmp_path) as (process, url):
        stream = Stream(url)
        stream.until(bool)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        stream.close()


def test_an_address_that_is_none_here(tmp_path: Path) -> None:
    """A slip in --listen is one message, exit code 4."""
    command = [sys.executable, "-m", "hil.cli", "watch", str(tmp_path), "--listen", "198.51.100.7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert "198.51.100.7 port 8470" in done.stderr
