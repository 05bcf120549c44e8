"""Headless Chromium through its DevTools protocol: opens pages from disk, presses keys, keeps what it complained of."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hil.clock import Deadline
from hil.wait import wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
_KEYS = {"Enter": ("\r", 13), "Tab": ("\t", 9), " ": (" ", 32)}


class WebSocket:
    """A client of RFC 6455 for text messages, which is all that DevTools speaks."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._rest = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._socket.recv(4096)
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        assert b" 101 " in head.partition(b"\r\n")[0], head

    def send(self, text: str) -> None:
        data, mask = text.encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0x80 | 126, len(data))
        if len(data) > 0xFFFF:
            size = struct.pack("!BQ", 0x80 | 127, len(data))
        self._socket.sendall(b"\x81" + size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def receive(self) -> str:
        whole = b""
        while True:
            first, size = self._exactly(2)
            size &= 0x7F
            if size > 125:
                size = int.from_bytes(self._exactly(2 if size == 126 else 8))
            data = self._exactly(size)
            if first & 0x0F in (0, 1):
                whole += data
                if first & 0x80:
                    return whole.decode()

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self._socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the browser closed the connection")
            self._rest += more
        data, self._rest = self._rest[:count], self._rest[count:]
        return data


class Browser:
    """One browser with one tab; ``complaints`` are errors and warnings since the last :meth:`open`."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self._folder = tempfile.TemporaryDirectory(prefix="hil-browser-", ignore_cleanup_errors=True)
        arguments = [CHROMIUM, *_QUIET, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._socket: WebSocket | None = None
        self._session = ""
        self._number = 0
        self._allowed: tuple[str, ...] = ()
        self.complaints: list[str] = []
        try:
            where = Path(self._folder.name, "DevToolsActivePort")
            port, path = wait_until(
                lambda: where.exists() and where.read_text().split(), what="Chromium to listen", timeout_s=30
            )
            self._socket = WebSocket(int(port), path)
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def open(self, page: Path | str, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Load a page from disk, or by its URL, and wait until its scripts have run."""
        url = page if isinstance(page, str) else page.resolve().as_uri()
        self._allowed = "file:", "data:", url
        # a page that asks again and again would do so while the next one loads
        self.call("Page.navigate", url="about:blank")
        self.complaints.clear()
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )  # fmt: skip
        self.call("Page.navigate", url=url)
        wait_until(
            lambda: self.script("document.readyState") == "complete" and self.script("location.href") != "about:blank",
            what=f"{url} to load", timeout_s=30,
        )  # fmt: skip
        self.script("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def script(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited; raises AssertionError when it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press and release each key: a letter, or a name such as ArrowRight."""
        for key in keys:
            text, code = _KEYS.get(key, (key if len(key) == 1 else "", ord(key) if len(key) == 1 else 0))
            named = {"key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **named)
            self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def accessible(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader is told."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        seen = [node for node in nodes if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in seen]

    def picture(self) -> bytes:
        """What is in the window, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        assert self._socket is not None
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        deadline = Deadline(60)
        while not deadline.expired:
            answer = json.loads(self._socket.receive())
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._listen(answer.get("method"), answer.get("params", {}))
        raise TimeoutError(method)

    def _listen(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(self._allowed):
            self.complaints.append(f"asks the network for {params['request']['url']}")
