"""The record of a run: which notebooks are done, and from what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stgcnlib.files import fingerprint_file, write_json
from stgcnlib.json_text import read_json_file
from stgcnlib.version import __version__

__all__ = ["Record"]

_NAME = re.compile(r"[^./\\\x00-\x1f\ud800-\udfff][^/\\\x00-\x1f\ud800-\udfff]{0,59}")
"""Names of notebooks: they name files."""
_LONGEST = 1e9
"""Seconds, 30 years: no notebook takes longer."""


@dataclass
class Record:
    """Which notebooks are done, and from what: ``stages.json`` in the output folder.

    A damaged record counts as empty, and a damaged entry as missing, so that its notebook runs again.

    Attributes:
        done: name of a notebook -> what it was made from, and how long it took.
        times: seconds of notebooks when they last ran, to estimate how long they will take.
    """

    file: Path
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, output: Path) -> Record:
        """The record of an output folder, empty if there is none."""
        file = output / "stages.json"
        try:
            content = read_json_file(file)
        except (OSError, ValueError):
            content = {}
        done = _entries(content)
        times = content.get("times") if isinstance(content, dict) else None
        rows = [*(times.items() if isinstance(times, dict) else ()), *((n, e.get("seconds")) for n, e in done.items())]
        return cls(file, done, {name: float(s) for name, s in rows if _NAME.fullmatch(name) and _is_time(s)})

    @property
    def names(self) -> set[str]:
        """All notebooks that runs are known to have written here; of some, the results no longer hold."""
        return {*self.done, *self.times}

    def holds(self, name: str, mark: str, target: Path) -> bool:
        """Whether notebook `name` is done with this mark, and is there as it was written."""
        return self.done.get(name, {}).get("mark") == mark and target.exists() and self.unchanged(name, target)

    def unchanged(self, name: str, target: Path) -> bool:
        """Whether a file is as notebook `name` was when it was done; `True` if an older version kept no checksum."""
        return self.done.get(name, {}).get("sum") in (None, fingerprint_file(target))

    def add(
        self, name: str, target: Path, *, stage: str, mark: str, seconds: float, parameters: Mapping[str, Any]
    ) -> None:
        """Note that a notebook is done, and that `target` is its executed file."""
        self.done[name] = {
            "sum": fingerprint_file(target),
            "stage": stage,
            "mark": mark,
            "seconds": round(seconds, 2),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "stgcnlib": __version__,
            "parameters": dict(parameters),
        }
        self.times[name] = round(seconds, 2)
        self.write()

    def drop(self, names: Iterable[str]) -> None:
        """Forget notebooks whose results no longer hold."""
        gone = [name for name in names if self.done.pop(name, None) is not None]
        if gone:
            self.write()

    def write(self) -> None:
        """Write the record, in the order of the notebooks' names."""
        times = {name: seconds for name, seconds in sorted(self.times.items()) if name not in self.done}
        write_json(self.file, {"notebooks": dict(sorted(self.done.items())), "times": times})


def _entries(content: Any) -> dict[str, dict[str, Any]]:
    """The entries of a record, by name of the notebook: those that have the form in which `Record` writes them.

    In each, ``stage``, ``mark`` and ``sum`` are texts, ``seconds`` is a number and ``parameters`` a dictionary, or they
    are missing, as an older version may have left them out.

    Args:
        content: of the file, which may be damaged or of others: anything that JSON can hold.
    """
    known = content.get("notebooks") if isinstance(content, dict) else None
    if not isinstance(known, dict):
        return {}
    return {name: entry for name, entry in known.items() if _NAME.fullmatch(name) and _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key, ""), str) for key in ("stage", "mark", "sum"))
        and _is_time(entry.get("seconds", 0.0))
        and isinstance(entry.get("parameters", {}), dict)
    )


def _is_time(seconds: Any) -> bool:
    """Whether it is a number of seconds that a notebook may take: not NaN, and not of hundreds of digits."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < _LONGEST
