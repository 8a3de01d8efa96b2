"""Study: the one description of what is measured, read from YAML and checked before anything runs.

Unknown keys are refused; every complaint names the file and the path of the key. `run` makes its results.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from stgcnlib.errors import StudyError, shorten
from stgcnlib.files import fingerprint, mistaken
from stgcnlib.paths import portable_path
from stgcnlib.pipeline.complaints import complaints
from stgcnlib.pipeline.fields import Section, Whole
from stgcnlib.pipeline.sections.compute import LOCAL, Compute
from stgcnlib.pipeline.sections.graphs import Controls, Dtw, Geometry, Graph, Sensitivity, Statistics
from stgcnlib.pipeline.sections.networks import Activations, Network
from stgcnlib.pipeline.sections.recordings import Data
from stgcnlib.pipeline.sections.studies import Explain, Noise, Transfer
from stgcnlib.skeleton import is_layout_file
from stgcnlib.yaml_text import YAMLError, read_yaml_file, write_yaml

__all__ = ["Study", "bundled_folder", "study_file"]


class Study(Section):
    """One configuration: the data, the network, and how its layers are measured.

    Args:
        name: what the study is called, in one line of at most 120 characters.
        seed: number from which all random choices follow.
        data: the recordings: where they are, how they are prepared and split.
        network: which network, trained here or loaded, and how many of it.
        layers: names of the modules whose output is recorded; None: those that the network names.
        activations: how features are kept on disk.
        dtw: options of the distances.
        graph: which recordings are nodes, which may be neighbours, how edges are weighted.
        controls: what every curve is compared with.
        geometry: shuffles of labels, and intervals.
        statistics: further measures of each layer.
        sensitivity: other choices, each changed by itself; None: not measured.
        explain: relevance maps and their checks.
        noise: noise on the test recordings; None: not measured.
        transfer: fine-tuning with frozen blocks; None: not measured.
        compute: where the work runs; it changes no number.
    """

    name: str = Field("study", min_length=1, max_length=120)
    seed: Whole = Field(0, ge=0)
    data: Data = Field(default_factory=Data)
    network: Network = Network()
    layers: tuple[str, ...] | None = Field(None, min_length=1)
    activations: Activations = Activations()
    dtw: Dtw = Dtw()
    graph: Graph = Graph()
    controls: Controls = Controls()
    geometry: Geometry = Geometry()
    statistics: Statistics = Statistics()
    sensitivity: Sensitivity | None = None
    explain: Explain = Explain()
    noise: Noise | None = None
    transfer: Transfer | None = None
    compute: Compute = Compute()

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError("must be one line of printable text")
        return name.strip()

    @model_validator(mode="before")
    @classmethod
    def _all_test(cls, given: Any) -> Any:
        """A study with a checkpoint that names no split has no training part."""
        data, network = (given.get(name, {}) for name in ("data", "network")) if isinstance(given, dict) else ({}, {})
        if not isinstance(data, dict) or not isinstance(network, dict) or network.get("checkpoint") is None:
            return given
        return {**given, "data": {"split": None, **data}}

    @model_validator(mode="after")
    def _training_part(self) -> Study:
        """Refuse a study that has no training part and needs one."""
        if self.data.split is not None:
            return self
        needs = {
            "network: is trained here": self.network.checkpoint is None,
            "data.target: value is estimated in deviations of the training part": self.data.target == "value",
            "graph.part: train": self.graph.part == "train",
            "noise.train: trains networks": self.noise is not None and bool(self.noise.train),
            "transfer: trains networks": self.transfer is not None,
        }
        for what, needed in needs.items():
            if needed:
                raise ValueError(f"{what}, but data.split names no training part; name it")
        return self

    @model_validator(mode="after")
    def _values_have_no_classes(self) -> Study:
        if self.data.target == "class":
            if self.network.training.loss in ("mse", "mae"):
                raise ValueError("network.training.loss: is for real values; set data.target to value, or leave it out")
            return self
        if self.network.training.loss == "cross-entropy":
            raise ValueError("network.training.loss: is for classes; choose mse or mae, or leave it out")
        if self.graph.sample is not None and self.graph.sample.per_class is not None:
            raise ValueError(
                "graph.sample.per_class: is for classes; give graph.sample.nodes where data.target is value"
            )
        for name in ("sensitivity", "noise", "transfer"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: is measured for classes only; leave it out where data.target is value")
        return self

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Study:
        """Read a study file; paths in it are relative to the file, ``${NAME}`` and ``${NAME:-default}`` expand.

        Raises:
            StudyError: names the file, the path of the key and what to change.
        """
        file = Path(path)
        if file.is_file() and (what := mistaken(file)):
            raise StudyError(f"{file}: {what}")
        try:
            content = read_yaml_file(file)
        except FileNotFoundError:
            raise StudyError(f"{file}: no such study file; bundled studies are {shorten(_bundled())}") from None
        except (YAMLError, OSError) as error:
            raise StudyError(f"{file}: not readable as YAML ({' '.join(str(error).split())[:300]})") from None
        if not isinstance(content, dict):
            raise StudyError(f"{file}: holds {type(content).__name__}, expected keys and values such as 'name: …'")
        return cls._checked(content, source=str(file), base=file.resolve().parent)

    @classmethod
    def load(cls, value: Study | Mapping[str, Any] | str | os.PathLike[str]) -> Study:
        """A `Study` from itself, its fields, a file's path, or the name of a bundled study such as "demo".

        `value` is any of these.
        """
        if isinstance(value, Study):
            return value
        if isinstance(value, Mapping):
            return cls._checked(dict(value), source="study", base=Path.cwd())
        return cls.from_file(study_file(value))

    def to_yaml(self, folder: str | os.PathLike[str] | None = None) -> str:
        """The study with every default filled in, as YAML that `from_file` reads.

        Args:
            folder: where the text will be saved in a file that may be passed on: paths are written without the user's
                name (`stgcnlib.paths.portable_path`), and a scheduler's address is left out. `None`: absolute paths.
        """
        study = self
        if folder is not None:
            study = _with_paths(self, lambda path, _: portable_path(path, folder))
            if "://" in study.compute.scheduler:
                study = study.model_copy(update={"compute": study.compute.model_copy(update={"scheduler": LOCAL})})
        return write_yaml(study.model_dump(mode="json"))

    def fingerprint(self) -> str:
        """A hash of everything that can change a number (so not of `compute` and `name`)."""
        return fingerprint(self.model_dump(mode="json", exclude={"compute", "name"}))

    @classmethod
    def _checked(cls, content: dict[str, Any], *, source: str, base: Path) -> Study:
        try:
            study = cls.model_validate(content)
        except ValidationError as error:
            raise StudyError(f"{source}: " + "; ".join(complaints(error, cls))) from None
        return _with_paths(study, lambda path, key: _expanded(path, key, source, base))


def bundled_folder() -> Path:
    """Where the studies that come with stgcnlib lie: in the repository, or inside the installed package."""
    installed = Path(__file__).resolve().parents[1] / "notebooks" / "studies"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "notebooks" / "studies"


def study_file(value: str | os.PathLike[str]) -> Path:
    """The file that a path, or the name of a bundled study, means."""
    return bundled_folder() / f"{value}.yml" if str(value) in _bundled() else Path(value)


def _bundled() -> list[str]:
    return sorted(path.stem for path in bundled_folder().glob("*.yml"))


def _with_paths(study: Study, changed: Callable[[str, str], str]) -> Study:
    """The study with every path in it changed, given the path and its key; names of data and layouts stay."""
    data, network, compute, transfer = study.data, study.network, study.compute, study.transfer
    if data.path not in ("demo", "sensor-demo"):
        data = data.model_copy(update={"path": changed(data.path, "data.path")})
    for name in ("skip", "names", "layout"):
        value = getattr(data, name)
        if value is not None and (name != "layout" or is_layout_file(value)):
            data = data.model_copy(update={name: changed(value, f"data.{name}")})
    if network.checkpoint is not None:
        network = network.model_copy(update={"checkpoint": changed(network.checkpoint, "network.checkpoint")})
    if ":" in network.name:
        network = network.model_copy(update={"folder": changed(network.folder or ".", "network.folder")})
    if compute.scheduler != LOCAL and "://" not in compute.scheduler:
        compute = compute.model_copy(update={"scheduler": changed(compute.scheduler, "compute.scheduler")})
    if transfer is not None:
        found = {
            name: changed(value, f"transfer.source.{name}")
            for name in ("checkpoint", "path")
            if (value := getattr(transfer.source, name)) is not None and value != "demo"
        }
        transfer = transfer.model_copy(update={"source": transfer.source.model_copy(update=found)})
    return study.model_copy(update={"data": data, "network": network, "compute": compute, "transfer": transfer})


def _expanded(value: str, key: str, source: str, base: Path) -> str:
    def variable(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = os.environ.get(name) or default
        if found is None:
            raise StudyError(
                f"{source}: {key}: the variable {name} is not set; export {name}=… or write the path itself"
            )
        return found

    try:
        path = Path(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", variable, value)).expanduser()
        return str((path if path.is_absolute() else base / path).resolve())
    except (ValueError, RuntimeError, OSError) as error:  # a null byte, an unknown home folder, circular links
        raise StudyError(f"{source}: {key}: {value[:200]!r} is no path ({error})") from None
