"""The stages of a report: which notebooks there are, what each depends on, and which are done.

A stage's fingerprint covers its part of the study, the stages it needs, its notebook's source and the
library's version. Running them is the business of `runner`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from stgcnlib import __version__
from stgcnlib.errors import StageError, suggest
from stgcnlib.files import fingerprint, write_json
from stgcnlib.pipeline.study import Study

__all__ = [
    "STAGES", "Record", "Stage", "check_parameters", "followers", "notebook_folder", "read_notebook",
    "stage_fingerprints", "stages_of",
]  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One step of the line, told by one notebook.

    Attributes:
        name: of the notebook, without suffix.
        needs: stages whose results it reads.
        settings: the parts of the study that it depends on besides those of `needs`, as dotted keys.
        per_layer: run once per recorded layer, with the parameter `layer`.
        writes: files below the output folder that exist once it is done.
        artefacts: patterns below ``artefacts/`` of what it makes; forcing the stage makes them anew.
        reads: keys of the study that name files or folders which it reads.
        section: part of the study without which there is no such stage.
        cost: seconds that it takes in the demo study on two cores, to tell a first run how long it has to go;
            `None` if the demo has no such stage.
    """

    name: str
    needs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    per_layer: bool = False
    writes: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    section: str | None = None
    cost: float | None = None


STAGES: tuple[Stage, ...] = (
    Stage(
        "00_data",
        (),
        ("data", "seed", "graph.part"),
        artefacts=("sequences.npz",),
        reads=("data.path", "data.skip", "network.checkpoint"),
        cost=6,
    ),
    Stage("01_network", ("00_data",), ("network",), artefacts=("network.pt",), cost=43),
    Stage(
        "02_activations", ("01_network",), ("layers",), writes=("layers.json",), artefacts=("activations-*",), cost=2
    ),
    Stage(
        "03_ds_graphs",
        ("02_activations",),
        ("dtw", "graph", "geometry"),
        artefacts=("distances/*", "geometry"),
        cost=8,
    ),
    Stage("04_geometry", ("03_ds_graphs",), ("statistics",), artefacts=("statistics",), cost=8),
    Stage("04a_classes", ("03_ds_graphs",), artefacts=("findings",), cost=2),
    Stage(
        "04b_sensitivity",
        ("03_ds_graphs",),
        ("sensitivity",),
        artefacts=("sensitivity.parquet",),
        section="sensitivity",
    ),
    Stage("05_layer", ("04_geometry", "04a_classes", "06_relevance"), per_layer=True, cost=19),
    Stage(
        "06_relevance",
        ("02_activations",),
        ("explain", "dtw", "graph", "geometry.resample"),
        artefacts=("relevance.npz", "map-evaluation"),
        cost=14,
    ),
    Stage("07_noise", ("03_ds_graphs",), ("noise",), artefacts=("noise*",), section="noise", cost=11),
    Stage(
        "08_transfer",
        ("01_network",),
        ("transfer", "dtw", "graph", "geometry"),
        artefacts=("transfer*",),
        reads=("transfer.source.checkpoint", "transfer.source.path"),
        section="transfer",
    ),
    Stage(
        "09_summary",
        ("04_geometry", "04a_classes", "04b_sensitivity", "05_layer", "06_relevance", "07_noise", "08_transfer"),
        ("name",),
        writes=("summary.json",),
        cost=2,
    ),
)
"""By number. A stage runs once those that it needs are done, so 06 before the layers of 05, which show its maps."""


def stages_of(study: Study, stages: Sequence[Stage] = STAGES) -> tuple[Stage, ...]:
    """The stages that a study has: all but those whose section is left out."""
    return tuple(stage for stage in stages if stage.section is None or getattr(study, stage.section) is not None)


def notebook_folder() -> Path:
    """Where the stage notebooks lie: in the repository, or inside the installed package."""
    installed = Path(__file__).resolve().parent / "stages"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "notebooks" / "stages"


def followers(stages: Sequence[Stage], name: str) -> set[str]:
    """The stage `name` and every stage that builds on it.

    Raises:
        StageError: if there is no such stage; suggests the nearest.
    """
    if name not in {stage.name for stage in stages}:
        raise StageError(f"no stage is named {name!r}; {suggest(name, [stage.name for stage in stages])}")
    found, before = {name}, 0
    while len(found) > before:
        before = len(found)
        found |= {stage.name for stage in stages if found & set(stage.needs)}
    return found


def stage_fingerprints(study: Study, stages: Sequence[Stage], notebooks: Path) -> dict[str, str]:
    """Stage name -> fingerprint of everything that decides its result."""
    by_name = {stage.name: stage for stage in stages}
    settings = study.model_dump(mode="json")
    made: dict[str, str] = {}

    def of(name: str) -> str:
        if name not in made:
            stage = by_name[name]
            value = {
                "version": __version__,
                "settings": [_setting(settings, key) for key in stage.settings],
                "files": _files(settings, stage.reads),
                "needs": [of(other) for other in stage.needs if other in by_name],
                "notebook": _source(notebooks / f"{name}.ipynb"),
            }
            made[name] = fingerprint(value)
        return made[name]

    return {stage.name: of(stage.name) for stage in stages}


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the notebook's cell tagged `parameters` doesn't define.

    Raises:
        StageError: naming the notebook, the parameter and those it has; or that there is no such cell.
    """
    cells = [c for c in read_notebook(notebook).cells if "parameters" in c.metadata.get("tags", [])]
    if not cells:
        raise StageError(
            f"{notebook}: no cell is tagged 'parameters'; tag the one that defines {', '.join(parameters)}"
        )
    known: list[str] = []
    for statement in ast.parse(cells[0].source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        known += [target.id for target in targets if isinstance(target, ast.Name)]
    for name in parameters:
        if name not in known:
            raise StageError(f"{notebook}: its parameters cell defines no {name!r}; {suggest(name, known)}")


@dataclass
class Record:
    """Which notebooks are done, and from what: ``stages.json`` in the output folder.

    A damaged record only costs the work of running again.

    Attributes:
        done: name of a notebook -> what it was made from, and how long it took.
        times: seconds of notebooks that were done once, to tell how long they will take again.
    """

    file: Path
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, output: Path) -> Record:
        """The record of an output folder, empty if there is none."""
        file = output / "stages.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            known = content["notebooks"]
        except (OSError, ValueError, KeyError, TypeError):
            content, known = {}, {}
        if not (isinstance(known, dict) and all(isinstance(entry, dict) for entry in known.values())):
            return cls(file)
        times = content.get("times", {})
        rows = [*(times.items() if isinstance(times, dict) else ()), *((n, e.get("seconds")) for n, e in known.items())]
        return cls(file, known, {n: float(s) for n, s in rows if isinstance(s, int | float) and 0 <= s < float("inf")})

    def holds(self, name: str, mark: str, outputs: Iterable[Path]) -> bool:
        """Whether notebook `name` is done with this fingerprint and all it wrote is still there."""
        return self.done.get(name, {}).get("fingerprint") == mark and all(path.exists() for path in outputs)

    def add(self, name: str, *, stage: str, mark: str, seconds: float, parameters: Mapping[str, Any]) -> None:
        """Note that a notebook is done."""
        self.done[name] = {
            "stage": stage,
            "fingerprint": mark,
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


def _setting(settings: Mapping[str, Any], key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = value[part]
    return value


def _files(settings: Mapping[str, Any], keys: Sequence[str]) -> list[Any]:
    """Name, size and time of every file that these keys of a study name."""
    found: list[Any] = []
    roots = [Path(value) for key in keys if (value := _setting(settings, key)) not in (None, "demo")]
    network = settings["network"]
    if "network.checkpoint" in keys and ":" in network["name"]:
        from stgcnlib.networks.own import find_source  # torch is slow to import, and seldom needed here

        source = find_source(network["name"], network["folder"])
        roots += [Path(source)] if source is not None else []
    for root in roots:
        paths = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
        found += [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in paths if p.exists()]
    return found


def _source(notebook: Path) -> str:
    """What a notebook says and does, without outputs and counters."""
    if not notebook.exists():
        raise StageError(f"{notebook}: the stage notebook is missing; reinstall stgcnlib or restore the file")
    return fingerprint([[c.cell_type, c.source, c.metadata.get("tags", [])] for c in read_notebook(notebook).cells])


def read_notebook(notebook: Path) -> Any:
    """A notebook in nbformat 4.

    Raises:
        StageError: it is missing or damaged.
    """
    try:
        return nbformat.read(notebook, as_version=4)
    except Exception as error:
        raise StageError(f"{notebook}: not readable as a notebook ({' '.join(str(error).split())[:200]})") from None
