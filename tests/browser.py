"""A real browser for tests of pages: Debian's Chromium or another of its family, driven over the DevTools protocol."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
PATIENCE = 180  # seconds: other programs may hold the cores


def find_browser() -> str | None:
    """Return the path of a browser of Chromium's family, or ``None``."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Outside:
    """A server on loopback that stands for every host of the world: it counts who comes, and answers nobody."""

    def __enter__(self) -> "Outside":
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.callers: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def heard_of(self, host: str) -> int:
        """Return how often somebody came who wanted this host, by HTTP or TLS; the browser has errands of its own."""
        return sum(host.encode() in caller for caller in self.callers)

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self.socket.accept()
            except OSError:
                return
            with caller:
                caller.settimeout(1)
                try:
                    self.callers.append(caller.recv(4000))
                except OSError:
                    continue


class Browser:
    """One running browser without a window; every host name leads to ``outside``."""

    def __init__(self, path: str, profile: Path, outside: Outside) -> None:
        self.outside = outside
        options = [
            "--headless=new",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP * 127.0.0.1:{outside.port}, EXCLUDE 127.0.0.1",
            "--no-proxy-server",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-sync",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-popup-blocking",
            "--hide-scrollbars",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to run as root with its sandbox, and CI is root
        self.process = subprocess.Popen(
            [path, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        port_file = Path(profile) / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (port_file.exists() and port_file.read_text().count("\n")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{path} does not start")
            time.sleep(0.05)
        self.port = int(port_file.read_text().split()[0])
        self.opener = build_opener(ProxyHandler({}))

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def open(self, address: str, width: int = 1280, height: int = 900, scheme: str = "light") -> "Tab":
        """Open an address in a new tab of this size, in pixels, by day or by night (``light`` or ``dark``)."""
        with self.opener.open(f"http://127.0.0.1:{self.port}/json/version", timeout=PATIENCE) as answer:
            endpoint = json.load(answer)["webSocketDebuggerUrl"]
        return Tab(self, endpoint, address, width, height, scheme)


class Tab:
    """One page: what it asked for, which dialogs it opened, where it went."""

    def __init__(self, browser: Browser, endpoint: str, address: str, width: int, height: int, scheme: str) -> None:
        self.socket = websocket.create_connection(endpoint, timeout=PATIENCE)
        self.count = 0
        self.session = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height, scheme)
        self.address = address
        self.target = target
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def resize(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """Give the window another size, in pixels, by day or by night; below 600 pixels it is a phone."""
        self.call("Page.bringToFront")  # what lies behind is not laid out
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come in between are kept, and dialogs dismissed."""
        number = self._send(method, parameters)
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._keep(message)

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        return self.count

    def _keep(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self.events.append(message)
            if message["method"] == "Page.javascriptDialogOpening":
                self._send("Page.handleJavaScriptDialog", {"accept": False})

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", expression))
        return result["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until a condition holds in the page."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.evaluate(f"Boolean({condition})"):
                    return
            except RuntimeError:  # between two pages
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page never came to: {condition}")
            time.sleep(0.05)

    def typeset(self) -> None:
        """Wait for the formulas, if there are any, and for the boxes measured after them."""
        self.evaluate(
            "(async () => { if (window.MathJax?.startup) await MathJax.startup.promise;"
            " await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))); })()"
        )

    def pause(self, seconds: float) -> None:
        """Let the page do what it has in mind, and listen."""
        time.sleep(seconds)
        self.call("Page.enable")  # whatever happened before its answer has been told by then

    def named(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of all events of one kind so far."""
        return [event["params"] for event in self.events if event["method"] == method]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for, itself and what it holds (``data:``) excepted."""
        addresses = [event["request"]["url"] for event in self.named("Network.requestWillBeSent")]
        return [a for a in addresses if not a.startswith("data:") and a.partition("#")[0] != self.address]

    def dialogs(self) -> list[str]:
        """Return the messages of all dialogs."""
        return [event["message"] for event in self.named("Page.javascriptDialogOpening")]

    def navigations(self) -> list[str]:
        """Return where the page went or wanted to go, beside where it was sent."""
        went = [e["frame"]["url"] for e in self.named("Page.frameNavigated")]
        wanted = [e["url"] for e in self.named("Page.frameRequestedNavigation")]
        opened = [e["url"] for e in self.named("Page.windowOpen")]
        return [a for a in went + wanted + opened if a not in (self.address, "about:blank")]

    def complaints(self) -> list[str]:
        """Return what the browser's console says of violated policies and of errors in scripts."""
        logged = [e["entry"]["text"] for e in self.named("Log.entryAdded") if e["entry"]["level"] == "error"]
        thrown = [e["exceptionDetails"]["text"] for e in self.named("Runtime.exceptionThrown")]
        return logged + thrown

    def screenshot(self, path: Path, *, whole: bool = False, clip: dict[str, float] | None = None) -> None:
        """Write a PNG of the window, of the whole page or of a part of it."""
        options: dict[str, Any] = {"captureBeyondViewport": whole or clip is not None}
        if clip:
            options["clip"] = {"scale": 1, **clip}
        Path(path).write_bytes(b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    def close(self) -> None:
        """Close the tab."""
        self.session = None
        self.call("Target.closeTarget", targetId=self.target)
        self.socket.close()
