"""The record of a run: which notebooks are done, and from what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stgcnlib.files import fingerprint_file, write_json
from stgcnlib.json_text import read_json_file
from stgcnlib.version import __version__

__all__ = ["Record"]


@dataclass
class Record:
    """Which notebooks are done, and from what: ``stages.json`` in the output folder.

    A damaged record counts as empty, so that all notebooks run again.

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
            known = content["notebooks"]
        except (OSError, ValueError, KeyError, TypeError):
            content, known = {}, {}
        if not (isinstance(known, dict) and all(isinstance(entry, dict) for entry in known.values())):
            return cls(file)
        times = content.get("times", {})
        rows = [*(times.items() if isinstance(times, dict) else ()), *((n, e.get("seconds")) for n, e in known.items())]
        return cls(file, known, {n: float(s) for n, s in rows if isinstance(s, int | float) and 0 <= s < float("inf")})

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
