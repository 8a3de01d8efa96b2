"""A line of four small artefacts that need no network; a module of its own, since each worker process imports it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import JSON, Artefact, Axis, Line, Tasks

SLOW = 10**6
"""As `explain.steps`: making "explained" takes long, unless there is a file "go-on" beside `BEGAN`."""
BEGAN = "artefacts/.unfinished/explained/*/began.txt"
"""In the output folder: processes that have begun to make "explained", while it is not made."""


def seeded(settings: Any) -> int:
    if settings.seed == 13:
        raise ValueError("13 is unlucky")
    return int(settings.seed)


def list_layers(seeded: int, settings: Any) -> list[dict[str, Any]]:
    names = settings.layers or ("input", "block <0>")
    return [{"name": name, "title": name, "index": i, "seed": seeded} for i, name in enumerate(names)]


def name_layers(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers]


def explain(layers: list[dict[str, Any]], settings: Any, scratch: Path) -> list[str]:
    with (scratch / "began.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    end = time.monotonic() + (100 if settings.explain.steps == SLOW else 0)
    while time.monotonic() < end and not (scratch / "go-on").exists():
        time.sleep(0.05)
    return lines(scratch)


def lines(scratch: Path) -> list[str]:
    return (scratch / "began.txt").read_text().splitlines()


def width(seeded: int, layer: str) -> int:
    return len(layer) + seeded


TASKS = 12
WAITING = 7
"""The task of "squares" that waits for a file "go-on"."""


def squares(settings: Any, scratch: Path, tasks: Tasks) -> dict[str, Any]:
    """The squares, and the tasks that were begun for them: a reader of the scratch folder may come too late."""
    values = [sum(tasks.map(square, scratch, range(3))), *tasks.map(square, scratch, range(3, TASKS))]
    return {"values": values, "began": [[int(part) for part in line.split()] for line in lines(scratch)]}


def square(scratch: Path, item: int) -> int:
    with (scratch / "began.txt").open("a") as file:
        file.write(f"{item} {os.getpid()}\n")
    end = time.monotonic() + (100 if item == WAITING else 0)
    while time.monotonic() < end and not (scratch / "go-on").exists():
        time.sleep(0.05)
    return item * item


LINE = Line(
    (
        Artefact("seeded", seeded, JSON, settings=("seed",)),
        Artefact("layers", list_layers, JSON, needs={"seeded": "seeded"}, settings=("layers",)),
        Artefact("explained", explain, JSON, needs={"layers": "layers"}, settings=("explain",)),
        Artefact("width/{layer}", width, JSON, needs={"seeded": "seeded"}),
    ),
    {"layer": Axis(name_layers, needs={"layers": "layers"})},
)

SPREADING = Line((Artefact("squares", squares, JSON, settings=("seed",)), *LINE.artefacts.values()), LINE.axes)
"""The same line, and an artefact whose tasks other processes run."""
