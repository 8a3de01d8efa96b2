"""JupyterLab and Voilà as `stgcnlib explore` starts them, and pages in a browser that reach this machine alone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

THEMES = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def explored(study: Path, home: Path, *options: str, dark: bool = False) -> Iterator[str]:
    """The address, token included, of ``stgcnlib explore STUDY`` with settings of its own below `home`."""
    settings = home / "config" / "lab" / "user-settings" / THEMES
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}))
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "XDG_STATE_HOME": "state"}
    environment = {**os.environ, **{name: str(home / folder) for name, folder in own.items()}}
    code = "import sys; from stgcnlib.cli import main; main()"
    command = [sys.executable, "-c", code, "explore", str(study), "--no-browser", f"--port={free_port()}", *options]
    log = home / "server.log"
    with log.open("w") as written:
        server = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, env=environment, cwd=home)
    try:
        yield _address(server, log)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _address(server: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S*\?token=\w+", log.read_text()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


class Watched:
    """A page, what it complained about, and what it asked of other machines; all of that is refused."""

    def __init__(self, browser: Any, width: int = 1400, height: int = 1000, **options: Any) -> None:
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        self.context.route(re.compile(r"^(?!http://127\.0\.0\.1[:/]|data:|blob:)"), self._refuse)
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def close(self) -> None:
        self.context.close()

    def _refuse(self, route: Any) -> None:
        self.strangers.append(route.request.url)
        route.abort()

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def run_cell(self, k: int) -> None:
        """Run code cell k of a notebook in JupyterLab; what comes too early is done again."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(k)
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        for _ in range(40):
            if self.page.locator(".jp-Dialog").count():
                self.page.locator(".jp-Dialog .jp-mod-accept").click()
            cell.locator(".cm-content").click(position={"x": 4, "y": 4})
            self.page.keyboard.press("Control+Enter")
            for _ in range(10):
                if prompt.inner_text() != before:
                    return
                self.page.wait_for_timeout(50)
        raise AssertionError(f"cell {k} does not run")

    def output_of(self, k: int) -> Any:
        """Where the output of code cell k is."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(k).locator(".jp-OutputArea")

    def open_notebook(self, address: str | None = None) -> None:
        """Wait until the notebook is there and its kernel idle; without an address, after reloading."""
        if address is None:
            self.page.reload()
        else:
            self.page.goto(address)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content", timeout=60_000)
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
        # Whoever runs a cell before the kernel is known is asked to choose one.
        self.page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for(timeout=60_000)

    def heap(self) -> int:
        """Bytes of JavaScript objects that are in use."""
        session = self.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        return int(session.send("Runtime.getHeapUsage")["usedSize"])
