"""What each field of a study changes: which artefacts are made again, and which notebooks run again.

One table says it for artefacts; notebooks follow from it, for one that shows an artefact must run when that changes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from scipy.io import savemat

from stgcnlib.dtw import DTWOptions
from stgcnlib.errors import SkeletonFormatError
from stgcnlib.files import fingerprint, write_json
from stgcnlib.networks import load_network, save_checkpoint
from stgcnlib.pipeline.keep import ArtefactFolder
from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.recordings import recordings_key
from stgcnlib.pipeline.run import StudyRun, open_study
from stgcnlib.pipeline.stages import STAGES, stage_fingerprints, stages_of
from stgcnlib.pipeline.study import Study

Settings = dict[str, Any]

BASE: Settings = {
    "name": "keys",
    "data": {"path": "demo", "demo": {"subjects": 4, "repeats": 1}, "split": {"by": "subject", "train": [1, 3]}},
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
    "graph": {"k": 4},
    "sensitivity": {"k": [4, 8]},
    "noise": {"train": {"jitter": 10}},
    "transfer": {"source": {"classes": 6}},
}

DATA = {"data"}
NETWORK = {"network", "noisy network", "transfer source"}
ACTIVATIONS = {"activations", "untrained activations"}
DISTANCES = {"distances", "untrained distances", "distances by another reading"}
GEOMETRY = {"geometry", "statistics", "findings", "sensitivity", "noise", "transfer"}
RELEVANCE = {"relevance", "map evaluation"}
ALL = DATA | NETWORK | ACTIVATIONS | DISTANCES | GEOMETRY | RELEVANCE

# Field of the study, its new value, and what must be made again; nothing else may be.
CHANGES: list[tuple[str, Any, set[str]]] = [
    ("name", "another", set()),
    ("compute.workers", 1, set()),
    ("compute.memory_limit", 8, set()),
    ("seed", 1, ALL),
    ("data.demo.repeats", 2, ALL),
    ("data.demo.noise", 0.5, ALL),
    ("data.normalize", False, ALL),
    ("data.centre", "frame", ALL),
    ("data.split.train", [1, 2], ALL - DATA),
    ("network.options.width", 5, ALL - DATA),
    ("network.training.epochs", 2, ALL - DATA),
    ("network.axes", "NCTV", ALL - DATA - NETWORK),
    ("layers", ["st_gcn_networks.2"], ALL - DATA - NETWORK - {"transfer"}),  # a transfer is measured at all layers
    ("graph.part", "all", ALL - DATA - NETWORK),
    ("dtw.reading", "frames", (DISTANCES | GEOMETRY | {"map evaluation"}) - {"distances by another reading"}),
    ("dtw.window", 5, DISTANCES | GEOMETRY | {"map evaluation"}),
    ("dtw.metric", "cosine", DISTANCES | GEOMETRY | {"map evaluation"}),
    ("dtw.normalize", None, DISTANCES | GEOMETRY | {"map evaluation"}),
    ("graph.k", 5, GEOMETRY | {"map evaluation"}),
    ("graph.sigma", 1.0, GEOMETRY | {"map evaluation"}),
    ("graph.leave_out", None, GEOMETRY | {"map evaluation"}),
    ("geometry.bootstrap", 77, GEOMETRY),
    ("geometry.confidence", 0.9, GEOMETRY),
    ("geometry.resample", None, GEOMETRY | {"map evaluation"}),
    ("statistics.votes", 3, {"statistics"}),
    ("statistics.probe", 2.0, {"statistics"}),
    ("sensitivity.k", [4], {"sensitivity"}),
    ("sensitivity.readings", ["frames"], {"sensitivity"}),
    ("explain.target", "true", RELEVANCE),
    ("explain.per_class", 1, RELEVANCE),
    ("explain.steps", 3, {"map evaluation"}),
    ("explain.jitter", 0.02, {"map evaluation"}),
    ("explain.examples", 1, set()),  # how many are drawn on the page
    ("noise.jitter", [15], {"noise"}),
    ("noise.layers", ["st_gcn_networks.2"], {"noise"}),
    ("noise.train.jitter", 20, {"noise", "noisy network"}),
    ("transfer.source.classes", 5, {"transfer", "transfer source"}),
    ("transfer.frozen", [0], {"transfer"}),
    ("transfer.seeds", 1, {"transfer"}),
    ("transfer.training.epochs", 2, {"transfer"}),
]

# Where an artefact lies below the output folder; patterns of stages are about these.
PLACES = {
    "data": "sequences.npz", "network": "network.pt", "activations": "activations-trained.zarr",
    "untrained activations": "activations-untrained.zarr", "distances": "distances/trained-00.npy",
    "untrained distances": "distances/untrained-00.npy", "distances by another reading": "distances/segments-00.npy",
    "geometry": "geometry", "statistics": "statistics", "findings": "findings", "sensitivity": "sensitivity.parquet",
    "relevance": "relevance.npz", "map evaluation": "map-evaluation", "noise": "noise",
    "noisy network": "noise-jitter", "transfer": "transfer", "transfer source": "transfer-source.pt",
}  # fmt: skip


def changed(settings: Mapping[str, Any], field: str, value: Any) -> Settings:
    """A copy of a study's settings with one field, named by its dotted path, set."""
    first, _, rest = field.partition(".")
    return {**settings, first: changed(settings.get(first, {}), rest, value) if rest else value}


class Asked(Exception):
    """An artefact was asked for; carries its place and key."""


def artefact_keys(settings: Settings, output: Path, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """Artefact -> fingerprint of what it would be made from; nothing but the recordings is made."""
    run = open_study(settings, output)
    write_json(output / "layers.json", [{"name": "input", "title": "input", "index": 0}])
    found: dict[str, str] = {}
    build = ArtefactFolder.build

    def asked(folder: ArtefactFolder, name: str, key: Any, make: Any) -> Path:
        if name == "sequences.npz":
            found["data"] = fingerprint(key)
            return build(folder, name, key, make)
        raise Asked(name, fingerprint(key))

    other = DTWOptions(reading="segments", **{k: v for k, v in run.study.dtw.model_dump().items() if k != "reading"})
    questions = {
        "network": lambda: run.network,
        "activations": run.activations,
        "untrained activations": lambda: run.activations("untrained"),
        "distances": lambda: run.distances("input"),
        "untrained distances": lambda: run.distances("input", "untrained"),
        "distances by another reading": lambda: run.details._distances("input", other),
        "geometry": lambda: run.geometry,
        "statistics": lambda: run.details.statistics,
        "findings": lambda: run.details.findings,
        "sensitivity": lambda: run.details.sensitivity,
        "relevance": lambda: run.relevance,
        "map evaluation": lambda: run.view.maps.evaluation,
        "noise": lambda: run.experiments.noise,
        "noisy network": lambda: run.experiments._noisy_networks(run.study.noise),  # type: ignore[arg-type]
        "transfer": lambda: run.experiments.transfer,
        "transfer source": lambda: run.experiments.transfer_task(),
    }
    with patch.context() as patched:
        patched.setattr(ArtefactFolder, "build", asked)
        assert len(run.data)
        for name, question in questions.items():
            with pytest.raises(Asked) as caught:
                question()
            place, found[name] = caught.value.args
            assert place.startswith(PLACES[name]), name
    assert set(found) == ALL
    return found


def stage_marks(settings: Settings) -> dict[str, str]:
    """Stage -> what decides whether its notebooks run again."""
    study = Study.load(settings)
    return stage_fingerprints(study, stages_of(study), notebook_folder())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        return artefact_keys(BASE, tmp_path_factory.mktemp("base"), patch), stage_marks(BASE)


def makers(artefacts: set[str]) -> set[str]:
    """The stages that make these artefacts."""
    found = set()
    for name in artefacts:
        made_by = {s.name for s in STAGES if any(fnmatchcase(PLACES[name], pattern) for pattern in s.artefacts)}
        assert made_by, name
        found |= made_by
    return found


@pytest.mark.parametrize(("field", "value", "again"), CHANGES, ids=[field for field, _, _ in CHANGES])
def test_what_a_field_changes(
    base: tuple[dict[str, str], dict[str, str]],
    field: str,
    value: Any,
    again: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = changed(BASE, field, value)
    keys, marks = artefact_keys(settings, tmp_path, monkeypatch), stage_marks(settings)
    assert {name for name in ALL if keys[name] != base[0][name]} == again
    repeated = {name for name, mark in marks.items() if mark != base[1][name]}
    assert repeated >= makers(again)
    assert (repeated != set()) == (bool(again) or field in ("name", "explain.examples"))


def test_the_same_study_has_the_same_keys(
    base: tuple[dict[str, str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where defaults are written out, keys come in another order, or the folder is another one."""
    written = {**dict(reversed(BASE.items())), "seed": 0, "dtw": {"window": 9}, "explain": {"steps": 6}}
    assert artefact_keys(written, tmp_path, monkeypatch) == base[0]
    assert stage_marks(written) == base[1]


LAYERS = {"05_layer", "09_summary"}
MEASURED = {"03_ds_graphs", "04_geometry", "04a_classes", "04b_sensitivity", "07_noise"} | LAYERS
SHOWN = {"02_activations", "06_relevance"} | MEASURED


@pytest.mark.parametrize(
    ("field", "value", "again"),
    [
        ("seed", 1, {"00_data", "01_network", "08_transfer"} | SHOWN),
        ("network.training.epochs", 2, {"01_network", "08_transfer"} | SHOWN),
        ("layers", ["st_gcn_networks.2"], SHOWN),
        ("dtw.window", 5, {"06_relevance", "08_transfer"} | MEASURED),
        ("graph.k", 5, {"06_relevance", "08_transfer"} | MEASURED),
        ("geometry.bootstrap", 77, {"08_transfer"} | MEASURED),
        ("statistics.votes", 3, {"04_geometry"} | LAYERS),
        ("sensitivity.k", [4], {"04b_sensitivity", "09_summary"}),
        ("explain.steps", 3, {"06_relevance"} | LAYERS),
        ("noise.jitter", [15], {"07_noise", "09_summary"}),
        ("transfer.seeds", 1, {"08_transfer", "09_summary"}),
        ("name", "another", {"09_summary"}),
    ],
)
def test_a_change_repeats_the_notebooks_that_show_it_and_no_others(
    base: tuple[dict[str, str], dict[str, str]], field: str, value: Any, again: set[str]
) -> None:
    marks = stage_marks(changed(BASE, field, value))
    assert {name for name, mark in marks.items() if mark != base[1][name]} == again


def test_a_notebook_runs_per_layer_if_it_asks_for_a_layer() -> None:
    for stage in STAGES:
        cells = nbformat.read(notebook_folder() / f"{stage.name}.ipynb", as_version=4).cells
        (parameters,) = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
        assert stage.per_layer == ("layer = " in parameters), stage.name


def test_a_changed_notebook_runs_again_with_what_builds_on_it(tmp_path: Path) -> None:
    """What it says and does counts, and the tags of its cells; outputs and counters do not."""
    folder = tmp_path / "stages"
    shutil.copytree(notebook_folder(), folder)
    study = Study.load(BASE)
    notebook = nbformat.read(folder / "06_relevance.ipynb", as_version=4)

    def repeated(change: Any) -> set[str]:
        before = stage_fingerprints(study, stages_of(study), folder)
        change(next(cell for cell in notebook.cells if cell.cell_type == "code"))
        nbformat.write(notebook, folder / "06_relevance.ipynb")
        after = stage_fingerprints(study, stages_of(study), folder)
        return {name for name in before if before[name] != after[name]}

    assert repeated(lambda cell: cell.update(execution_count=7)) == set()
    for change in (
        lambda cell: cell.update(source=cell.source + "\n# more"),
        lambda cell: cell.metadata.update(tags=["parameters", "hide-input"]),
        lambda cell: notebook.cells.pop(),
    ):
        assert repeated(change) == {"06_relevance"} | LAYERS


# -- files that are read ------------------------------------------------------------------------


def saved(folder: Path, name: str = "mine.npz") -> Path:
    run = open_study(BASE, folder / "source")
    run.data.save(folder / name)
    return folder / name


def from_file(settings: Settings, path: Path, **data: Any) -> Settings:
    return {**settings, "data": {"path": str(path), "split": BASE["data"]["split"], **data}}


def touched(path: Path, seconds: int = 1) -> None:
    stamp = path.stat()
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + seconds * 1_000_000_000))


def test_a_file_that_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_file(BASE, saved(tmp_path))
    before = artefact_keys(settings, tmp_path / "a", monkeypatch), stage_marks(settings)
    assert before[0] == artefact_keys(settings, tmp_path / "b", monkeypatch)
    touched(tmp_path / "mine.npz")
    after = artefact_keys(settings, tmp_path / "c", monkeypatch), stage_marks(settings)
    assert {name for name in ALL if before[0][name] == after[0][name]} == set()
    assert {name for name in before[1] if before[1][name] == after[1][name]} == set()


@pytest.mark.parametrize("reader", ["artefact", "notebook"])
def test_a_folder_is_all_of_its_files_by_name_size_and_time(reader: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "below").mkdir(parents=True)
    file = folder / "below" / "two.txt"
    settings = from_file(BASE, folder)

    def key() -> str:
        if reader == "notebook":
            return stage_marks(settings)["00_data"]
        return fingerprint(recordings_key(Study.load(settings).data, seed=0))

    def write(path: Path, text: str, time: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(time, time))

    write(folder / "one.txt", "1", 10**18)
    seen = [key()]
    for text, time in (("2", 10**18), ("22", 10**18), ("22", 10**18 + 1)):
        write(file, text, time)
        seen.append(key())
    file.rename(folder / "below" / "three.txt")
    seen.append(key())
    assert len(set(seen)) == 5
    assert key() == seen[-1]


def test_the_seed_makes_the_demo_and_reads_no_file_again(tmp_path: Path) -> None:
    """Whatever the file's name: it may come before or after "demo" in the alphabet."""
    for name in ("a.npz", "z.npz"):
        data = Study.load(from_file(BASE, saved(tmp_path, name))).data
        for chosen in (data, data.model_copy(update={"path": name})):
            assert recordings_key(chosen, seed=0) == recordings_key(chosen, seed=1)
    demo = Study.load(BASE).data
    assert recordings_key(demo, seed=0) != recordings_key(demo, seed=1)


def test_the_format_of_a_study_reaches_the_reader(tmp_path: Path) -> None:
    """A folder of two formats cannot be read without it."""
    folder = tmp_path / "data"
    folder.mkdir()
    motion = np.random.default_rng(0).normal(size=(6, 20, 3))
    savemat(folder / "a1_s1_t1_skeleton.mat", {"d_skel": motion.transpose(1, 2, 0)})
    content = {"file_name": "a01_s01_e00_v01", "skeletons": motion.tolist(), "label": 1}
    (folder / "a01_s01_e00_v01.json").write_text(json.dumps(content))
    with pytest.raises(SkeletonFormatError, match="say which with format="):
        _ = open_study(from_file(BASE, folder), tmp_path / "a").data
    for number, (name, layout) in enumerate((("utd-mhad", "kinect-v1"), ("nw-ucla", "nw-ucla"))):
        data = open_study(from_file(BASE, folder, format=name), tmp_path / str(number)).data
        assert (data.layout.name, len(data)) == (layout, 1)


@pytest.mark.parametrize("where", ["network.checkpoint", "transfer.source.checkpoint"])
def test_a_checkpoint_counts_by_its_content(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.pt"
    settings = changed(BASE, "transfer.source", {"path": "demo", "split": {"by": "subject", "train": [1, 2]}})
    settings = {k: v for k, v in settings.items() if k != "noise"}
    if where == "transfer.source.checkpoint":
        settings = changed(settings, "transfer.source", {"checkpoint": str(file)})
    else:
        settings = changed(settings, where, str(file))
    keys, contents, marks = [], [], []
    for seed in (1, 2):
        save_checkpoint(load_network("st-gcn", layout="ntu-rgb+d", classes=10, seed=seed, width=4, depth=3), file)
        contents.append(file.read_bytes())
    for number, content in enumerate((contents[0], contents[1], contents[0])):
        file.write_bytes(content)
        run = open_study(settings, tmp_path / str(number))
        keys.append((fingerprint(run.network_key), transfer_key(run, monkeypatch)))
        touched(file, number)
        marks.append(stage_marks(settings))
    (network_a, transfer_a), (network_b, transfer_b), again = keys
    assert (network_a != network_b) == (where == "network.checkpoint")
    assert transfer_a != transfer_b
    assert again == keys[0]
    repeated = {name for name in marks[0] if marks[0][name] != marks[1][name]}
    assert repeated == (set(marks[0]) if where == "network.checkpoint" else {"08_transfer", "09_summary"})


def transfer_key(run: StudyRun, patch: pytest.MonkeyPatch) -> str:
    def asked(folder: ArtefactFolder, name: str, key: Any, make: Any) -> Path:
        raise Asked(name, fingerprint(key))

    with patch.context() as patched:
        patched.setattr(ArtefactFolder, "build", asked)
        with pytest.raises(Asked) as caught:
            _ = run.experiments.transfer
    return str(caught.value.args[1])


def test_recordings_to_skip_are_left_out(tmp_path: Path) -> None:
    """`data.skip` of a study file reaches the reader, and a changed list is read again."""
    path = saved(tmp_path)
    everyone = open_study(from_file(BASE, path), tmp_path / "all").data
    (tmp_path / "skip.txt").write_text("\n".join(everyone.names[:3]))
    study = tmp_path / "study.yml"
    study.write_text(
        "name: some\ndata: {path: mine.npz, skip: skip.txt, split: {by: subject, train: [1, 3]}}\n", encoding="utf-8"
    )
    some = open_study(study, tmp_path / "some").data
    assert some.names == everyone.names[3:]
    np.testing.assert_array_equal(some.labels, everyone.labels[3:])

    before = stage_marks(Study.load(study).model_dump())["00_data"]
    (tmp_path / "skip.txt").write_text("\n".join(everyone.names[:5]))
    assert stage_marks(Study.load(study).model_dump())["00_data"] != before
    assert open_study(study, tmp_path / "some").data.names == everyone.names[5:]
