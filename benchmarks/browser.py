"""A headless Chromium, driven over its DevTools protocol."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
CENTRE = """(() => {
    const node = document.querySelector(%s);
    node.scrollIntoView({block: 'nearest'});
    const box = node.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
})()"""


class Browser:
    """One Chromium with one page.

    Args:
        folder: for its profile and its downloads.
        microphone: wav file that it takes for its microphone.
        grants: whether the user allows the microphone.
        hosts: rules for names, as ``MAP voice.test 127.0.0.1``.
        seconds: patience with a single answer.
    """

    def __init__(self, folder, *, microphone=None, grants=True, hosts=None, seconds=60):
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        self.problems = []
        self._seconds = seconds
        self._number = 0
        self._profile = folder / "profile"
        self._flags = _flags(self._profile, microphone, grants, hosts)
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._process = self._launch()
            stack.callback(self._end)
            port, path = self._address(self._profile / "DevToolsActivePort")
            address = f"ws://127.0.0.1:{port}{path}"
            self._socket = stack.enter_context(connect(address, max_size=None))
            self._session = self._attach()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self._call("Browser.close", session=False)
        self._stack.close()

    # ---- what a test does

    def open(self, address):
        """Load a page and wait until it is complete."""
        self.call("Page.navigate", url=address)
        self.wait(
            f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'"
        )

    def run(self, expression):
        """Return the value of a JavaScript expression, of a promise too."""
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector):
        """Return the text of an element as it is shown; nothing for a hidden one."""
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def wait(self, expression, seconds=None):
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + (seconds or self._seconds)
        while not (value := self.run(expression)):
            assert time.monotonic() < deadline, f"still not: {expression}; {self.problems}"
            time.sleep(0.1)
        return value

    def click(self, selector):
        """Press and release the mouse in the middle of an element."""
        x, y = self.run(CENTRE % json.dumps(selector))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name, code, text=""):
        """Press and release a key."""
        key = {"key": name, "windowsVirtualKeyCode": code, "code": name}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def type(self, text):
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def give_files(self, selector, *paths):
        """Choose files in a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def downloaded(self, name):
        """Wait for a download, which is an empty file until it is whole, and return its text."""
        path = self.downloads / name
        deadline = time.monotonic() + self._seconds
        while not (path.exists() and path.stat().st_size):
            assert time.monotonic() < deadline, f"no download {name}"
            time.sleep(0.1)
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return text

    def screen(self, width, height, *, dark=False, still=False):
        """Emulate a screen and what its user prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "no-preference",
        }
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

    def picture(self, path):
        """Save what is seen as png."""
        Path(path).write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )

    def accessible(self):
        """Return what a screen reader finds: (role, name) of each node, in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]

    def call(self, method, **parameters):
        """Call a method of the page's session."""
        return self._call(method, **parameters)

    # ---- inside

    def _launch(self):
        return subprocess.Popen(
            [CHROMIUM, *self._flags, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _address(self, file):
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            lines = file.read_text().split() if file.exists() else []
            if len(lines) == 2:
                return lines
            time.sleep(0.1)
        raise RuntimeError(f"chromium did not start (exit status {self._process.poll()})")

    def _attach(self):
        targets = self._call("Target.getTargets", session=False)["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        session = self._call(
            "Target.attachToTarget", session=False, targetId=page["targetId"], flatten=True
        )["sessionId"]
        self._session = session
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            self._call(f"{domain}.enable")
        self._call(
            "Browser.setDownloadBehavior",
            session=False,
            behavior="allow",
            downloadPath=str(self.downloads),
        )
        return session

    def _call(self, method, *, session=True, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=self._seconds))
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _note(self, event):
        """Keep what a developer would see in red."""
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.problems.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.problems.append(parameters["entry"]["text"])

    def _end(self):
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _flags(profile, microphone, grants, hosts):
    flags = [*FLAGS, f"--user-data-dir={profile}"]
    if microphone:
        flags.append("--use-fake-device-for-media-stream")
        flags.append(f"--use-file-for-fake-audio-capture={microphone}")
        if grants:
            flags.append("--use-fake-ui-for-media-stream")
    if hosts:
        flags.append(f"--host-resolver-rules={hosts}")
    return flags
