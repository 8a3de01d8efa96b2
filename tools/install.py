"""Install packages with pip and say briefly how far it is: ``python tools/install.py WHAT LOG PIP-ARGUMENT...``.

It runs before anything is installed, so it needs only the standard library. On a terminal one line counts packages
and seconds, elsewhere each phase and each minute is a line. All that pip says is in LOG; its end is shown if pip fails.
If a package index does not answer, pip tries again for every package, which can take very long: it is said at once.

A mark beside LOG (install.unfinished) tells of an installation that was cut off: pip takes a half-written package
for an installed one, so the Makefile then makes the environment anew.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

SHOWN_LINES = 15
COLLECTING = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)")
INSTALLING = re.compile(r"Installing collected packages: (.*)")
RETRYING = re.compile(r"WARNING: Retrying \(.*: (/\S+)$")
MINUTE = 60.0
INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")


def main() -> int:
    """Run pip and show its progress; its exit code."""
    what, log, *arguments = sys.argv[1:]
    began, live = time.monotonic(), sys.stdout.isatty()
    mark = Path(log).with_suffix(".unfinished")
    mark.touch()
    command = [sys.executable, "-m", "pip", "install", "--progress-bar", "off", *arguments]
    found: set[str] = set()
    coming, before, told, refused = 0, _installed(), began, False
    print(f"installing {what} into {Path(sys.prefix).name}", flush=True)
    with (
        Path(log).open("w", encoding="utf-8") as kept,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as pip,
    ):
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(pip, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=0.5)
            except queue.Empty:
                line = ""
            if line is None:
                break
            kept.write(line)
            if match := COLLECTING.match(line.strip()):
                found.add(match[1].lower())
            if (match := RETRYING.match(line.strip())) and not refused:
                refused = True
                print("\r\033[K" if live else "", _no_answer(match[1], log), sep="", flush=True)
            if match := INSTALLING.match(line):
                coming = len(match[1].split(","))
                if not live:
                    print(f"  {coming} packages found and fetched in {time.monotonic() - began:.0f} s", flush=True)
            now = time.monotonic()
            if live or now - told > MINUTE:
                told = now
                done = min(len(_installed() - before), coming)
                text = f"unpacking: {done} of {coming}" if coming else f"finding and fetching: {len(found)}"
                start, end = ("\r\033[K", "") if live else ("", "\n")
                print(f"{start}  {text} packages, {now - began:.0f} s", end=end, flush=True)
    print("\r\033[K" if live else "", end="")
    if not (pip.returncode and coming):
        mark.unlink()
    if pip.returncode:
        print(*Path(log).read_text(encoding="utf-8").splitlines()[-SHOWN_LINES:], sep="\n", file=sys.stderr)
        print(f"pip failed; all that it said is in {log}. The same command tries again.", file=sys.stderr)
        return pip.returncode
    print(f"  {coming} packages installed, {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _no_answer(asked: str, log: str) -> str:
    named = [name for name in INDEXES if os.environ.get(name)]
    mend = f"interrupt, unset {' and '.join(named)}, and repeat" if named else "look at the network of this machine"
    return f"  a package index does not answer ({asked}), and pip tries again: see {log}. If it goes on, {mend}."


def _listen(pip: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert pip.stdout is not None
    for line in pip.stdout:
        lines.put(line)
    lines.put(None)


def _installed() -> set[str]:
    return {path.name for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info")}


if __name__ == "__main__":
    sys.exit(main())
