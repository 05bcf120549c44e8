"""The page of ``hil watch`` and the reports it leads to, over HTTP on this computer. Nothing can be changed through it.

A page of some other site may reach a server on loopback through the reader's browser. It learns nothing: by its name
(DNS rebinding) it is refused, since requests must name an address, localhost or this computer; and what is answered may
not be used by other origins.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hil.errors import UsageError
from hil.watch.board import Board

PING_S = 10.0
_PATIENCE_S = 10.0
"""With a reader that neither asks nor reads."""
_HEADERS = {
    "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
}  # fmt: skip
_TEXT = "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Serves from threads of its own between ``serve_forever`` and ``close``. Raises UsageError for a port in use."""

    daemon_threads = False

    def __init__(self, address: str, port: int, reports: Path, board: Board) -> None:
        self.board, self.page = board, _page()
        self._connections: set[socket.socket] = set()
        if ":" in address:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((address, port), partial(_Handler, directory=str(reports.resolve())))
        except OSError as error:
            raise UsageError(
                "an address and port to listen on", seen=str(error), where=f"{address} port {port}",
                next_step="choose another --port, or 0 for a free one",
            ) from error  # fmt: skip

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}/" if self.address_family == socket.AF_INET6 else f"http://{host!s}:{port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """End all connections and wait for their threads."""
        for connection in tuple(self._connections):
            with suppress(OSError):  # it may have ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(SimpleHTTPRequestHandler):
    server: Server
    timeout = _PATIENCE_S
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map, ".jsonl": _TEXT, ".md": _TEXT, ".txt": _TEXT, ".yaml": _TEXT,
        ".log": _TEXT, ".html": "text/html; charset=utf-8",
    }  # fmt: skip

    def do_GET(self) -> None:
        if not _is_ours(self.headers.get("Host", "")):
            self.send_error(403, "Ask for an address, localhost or this computer's name")
        elif self.path == "/":
            self._answer(self.server.page, "text/html; charset=utf-8")
        elif self.path == "/events":
            self._stream()
        elif self.path == "/favicon.ico":  # a browser asks for one beside a report, and complains
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        if not _is_ours(self.headers.get("Host", "")):
            self.send_error(403)
        else:
            super().do_HEAD()

    def send_head(self) -> Any:
        """Files of reports alone: nothing outside of the folder, also not through a link, and nothing hidden."""
        asked = unquote(urlsplit(self.path).path)
        if not asked.startswith("/reports/") or any(part[:1] == "." or "\0" in part for part in asked.split("/")):
            self.send_error(404)
            return None
        reports, path = Path(self.directory), Path(self.translate_path(self.path))
        if not all(one.resolve().is_relative_to(reports) for one in (path, path / "index.html")):
            self.send_error(404)
            return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/reports"))

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Who looks at a page is not worth a line."""

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """Server-sent events: the whole state whenever it changed, and a sign of life when it did not."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 1000\n\n")
        version = 0
        while version >= 0:
            newest, text = self.server.board.newer(version, PING_S)
            self.wfile.write(b": still here\n\n" if newest == version else f"data: {text}\n\n".encode())
            version = newest


def _is_ours(host: str) -> bool:
    """Whether a Host header names an address, localhost or this computer, and not some site's name for it."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in ("localhost", socket.gethostname().lower())
    return True


def _page() -> bytes:
    """One document: reports' style, our own, and the script."""
    ours, theirs = files("hil.watch") / "page", files("hil.results") / "assets"
    page = (ours / "watch.html").read_text(encoding="utf-8")
    parts = {"report.css": theirs, "watch.css": ours, "watch.js": ours}
    for name, folder in parts.items():
        page = page.replace(f"@{name}@", (folder / name).read_text(encoding="utf-8"))
    return page.encode()
