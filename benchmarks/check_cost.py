"""What do the checks of results and inputs cost? Their processor seconds, beside those of a whole study.

    python benchmarks/check_cost.py [--subjects 8] [--repeats 4]

One process makes every result of a study of the demo data with a network of default size, then another one reads them
all. Counted are sums of files, of inputs and of blocks of features, manifests, names, and what is looked at before work
starts. Pages are not made; they read results as the second process does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import stgcnlib
from stgcnlib.artefacts import store, tasks
from stgcnlib.artefacts.declare import instance
from stgcnlib.artefacts.stamps import Stamps
from stgcnlib.artefacts.store import Store
from stgcnlib.artefacts.sums import Sums
from stgcnlib.pipeline import run as runs

COUNTED: dict[str, list[tuple[Any, str]]] = {
    "sums of results": [(Sums, name) for name in ("check", "check_names", "check_file", "check_content", "know")],
    "manifests": [(Store, "holds"), (Store, "about"), (store, "read_manifest")],
    "sums of what is written": [(store, "_synced")],
    "inputs": [(Stamps, "of"), (Stamps, "check")],
    "sums of finished tasks": [(tasks, "_whole")],
    "links": [(runs, "check_contained")],
}
spent: defaultdict[str, float] = defaultdict(float)
inside = 0


def counted(kind: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its processor seconds added to its kind unless it is part of what is counted already."""

    @wraps(work)
    def timed(*given: Any, **named: Any) -> Any:
        global inside
        began, inside = time.process_time(), inside + 1
        try:
            return work(*given, **named)
        finally:
            inside -= 1
            if not inside:
                spent[kind] += time.process_time() - began

    return timed


def make(home: Path, subjects: int, repeats: int) -> None:
    """Make or read every result."""
    for kind, places in COUNTED.items():
        for owner, name in places:
            setattr(owner, name, counted(kind, getattr(owner, name)))
    settings = {
        "name": "check cost",
        "data": {"path": "demo", "demo": {"subjects": subjects, "repeats": repeats}},
        "network": {"name": "st-gcn", "training": {"epochs": 5}},
    }
    run = stgcnlib.open_study(settings, home)
    began = time.process_time()
    run.check()
    before = time.process_time() - began
    for each in run.line:
        if run.keys.has(each):
            run[instance(each.name, dict.fromkeys(each.axes, "*"))]
    whole = time.process_time() - began
    total = sum(spent.values())
    print(
        f"{len(run['sequences'])} recordings: {whole:.1f} s of a processor, checks {total:.2f} s, {total / whole:.2%}"
    )
    print(f"before work starts: {before:.2f} s")
    for kind, seconds in sorted(spent.items(), key=lambda each: -each[1]):
        print(f"  {kind}: {seconds:.3f} s")


def main() -> None:
    """Print the seconds of making, and of reading all again."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--subjects", type=int, default=8, help="8 or more: the split names them")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder is not None:
        make(chosen.folder, chosen.subjects, chosen.repeats)
        return
    with tempfile.TemporaryDirectory() as home:
        words = ["--subjects", str(chosen.subjects), "--repeats", str(chosen.repeats), "--folder", home]
        for what in ("made", "read again"):
            print(what, flush=True)
            subprocess.run([sys.executable, "-P", __file__, *words], check=True)


if __name__ == "__main__":
    main()
