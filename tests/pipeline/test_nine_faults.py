"""Nine faults that a study could have while two lists of what depends on what were kept in step by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from line_changes import BASE, EVERYTHING, changed, keys_of, opened, variants, with_files

import stgcnlib
from stgcnlib import activations, explain, training
from stgcnlib.explain import checks, gradcam
from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.run import open_study
from stgcnlib.pipeline.stages import STAGES, page_mark
from stgcnlib.studies import transfer_fits
from stgcnlib.verdicts import advise_frozen

TINY: dict[str, Any] = {
    **{name: value for name, value in BASE.items() if name not in ("noise", "transfer", "sensitivity")},
    "geometry": {"permutations": 5},
    "explain": {"examples": 1, "per_class": 1, "sequences": 2, "units": ["joints"], "steps": 2, "draws": 1},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the maps of a tiny study, and all that they need, and the history of its training."""
    folder = tmp_path_factory.mktemp("tiny")
    run = open_study(TINY, folder)
    _ = run["maps"], run["history"]
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "study"))


class Own(torch.nn.Module):
    """A network without `layer_names` whose layers put out (N, T, V, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList([torch.nn.Linear(3, 4), torch.nn.Linear(4, 4)])
        self.head = torch.nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[..., 0].permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x).relu()
        scores: torch.Tensor = self.head(x.mean(dim=(1, 2)))
        return scores


def test_1_maps_of_a_network_with_axes_are_explained_again_with_its_layers_and_axes() -> None:
    torch.manual_seed(0)
    network, data = Own().eval(), stgcnlib.demo_sequences(subjects=2, repeats=1).select([0, 5])
    maps = explain.grad_cam_set(network, data, layers=["blocks.*"], axes="NTVC", target="predicted")
    table = explain.randomisation(network, data, maps, axes="NTVC")
    assert set(table["layer"]) == {"blocks.0", "blocks.1"}
    first = table[table["step"] == 0]
    np.testing.assert_allclose(first["correlation"].dropna(), 1)  # nothing random yet: the very same maps


@pytest.mark.parametrize("named", ["data.skip", "data.path"])
def test_2_a_file_counts_by_its_content_whatever_its_size_and_time(named: str, tmp_path: Path) -> None:
    everyone = open_study(TINY, tmp_path / "demo")["sequences"]
    everyone.save(tmp_path / "mine.npz")
    skip = tmp_path / "skip.txt"
    skip.write_text(everyone.names[0] + "\n")
    data = {"path": str(tmp_path / "mine.npz"), "skip": str(skip), "split": BASE["data"]["split"]}
    file = skip if named == "data.skip" else tmp_path / "mine.npz"
    before = open_study({**TINY, "data": data}, tmp_path / "out")
    names = before["sequences"].names
    stamp = file.stat()
    if named == "data.skip":
        other = next(name for name in everyone.names[1:] if len(name) == len(everyone.names[0]))
        file.write_text(other + "\n")
    else:
        content = bytearray(file.read_bytes())
        order = np.random.default_rng(0).permutation(len(everyone))
        everyone.select(order).save(file)
        assert len(content) == pytest.approx(file.stat().st_size, rel=0.01)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    after = open_study({**TINY, "data": data}, tmp_path / "out")
    assert after.key("sequences") != before.key("sequences")
    assert after["sequences"].names != names
    for stage in STAGES[:1]:
        assert page_mark(stage, after, notebook_folder()) != page_mark(stage, before, notebook_folder())


SOURCES = {"transfer-other", "transfer-training/trained", "transfer-source/trained", "transfer-plan",
           "transfer-geometry", "transfer", "advice", "summary"}  # fmt: skip
STAYS = {"sequences", "parts", "nodes", "grouping"}


@pytest.mark.parametrize(
    ("study", "file", "again", "stays"),
    [
        (
            "files",
            "a.npz",
            STAYS | {"network/trained", "geometry", "transfer-training/trained"},
            {"transfer-other", "dtw"},
        ),
        ("files", "a.txt", STAYS | SOURCES, {"dtw"}),
        ("files", "a.pt", {"network/trained", "network/untrained", "evaluation", "summary"}, STAYS | SOURCES),
        ("files", "b.npz", SOURCES, STAYS | {"network/trained", "geometry", "noise"}),
        ("checkpoints", "b.pt", SOURCES, STAYS | {"training/trained", "network/trained", "geometry", "noise"}),
        (
            "checkpoints",
            "one/own_network.py",
            {
                "training/trained",
                "network/trained",
                "network/untrained",
                "noise-training/jitter 10.0",
                "transfer-source",
            },
            STAYS,
        ),
    ],
)
def test_2_every_file_that_a_study_names_counts_so(
    study: str, file: str, again: set[str], stays: set[str], tmp_path: Path
) -> None:
    fields, path = variants(with_files(tmp_path))[study], tmp_path / file
    run = opened(fields, tmp_path / "out")
    names = {name for name in (EVERYTHING | {"transfer-other"}) if run.keys.has(run.line.find(name).artefact)}
    before, stamp, text = keys_of(run, names), path.stat(), path.read_text()
    path.write_text(text.swapcase())
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    after = keys_of(opened(fields, tmp_path / "out"), names)
    differ = {name for name in names if before[name] != after[name]}
    assert again & names <= differ
    assert not (stays - again) & differ
    path.write_text(text)
    assert keys_of(opened(fields, tmp_path / "out"), names) == before


def test_3_layers_are_listed_anew_when_others_are_chosen(folder: Path) -> None:
    assert list(open_study(TINY, folder)["maps"][0]) == [f"st_gcn_networks.{i}" for i in range(3)]
    alone = open_study({**TINY, "layers": ["st_gcn_networks.2"]}, folder)  # as a notebook opened by itself
    assert list(alone["maps"][0]) == ["st_gcn_networks.2"]
    assert [layer["name"] for layer in alone["layers"]] == ["input", "st_gcn_networks.2"]


def test_4_tables_for_users_are_no_part_of_the_artefacts(folder: Path) -> None:
    shutil.rmtree(folder / "tables")
    run = open_study(TINY, folder)
    assert len(run["history"]) == 1
    assert len(pd.read_parquet(folder / "tables" / "training.parquet")) == 1


def test_5_other_layers_leave_the_transfer_study_and_its_page() -> None:
    before, after = (open_study(each, "unused") for each in (BASE, changed(BASE, "layers", ["st_gcn_networks.2"])))
    (stage,) = [stage for stage in STAGES if stage.name == "08_transfer"]
    assert page_mark(stage, before, notebook_folder()) == page_mark(stage, after, notebook_folder())
    assert before.key("transfer") == after.key("transfer")
    assert before.key("summary") != after.key("summary")  # made again from the transfer that is there


def test_5_the_summary_reads_a_transfer_study_that_is_there_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = {"source": {"classes": 6}, "frozen": [0, 2], "seeds": 1, "training": {"epochs": 1}}
    fields = {**TINY, "transfer": transfer}
    told = advise_frozen(open_study(fields, tmp_path)["transfer"]).text
    _ = open_study(fields, tmp_path)["training/trained"]

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a network is trained again")

    for name in ("fit", "fine_tune"):
        monkeypatch.setattr(training, name, refused)
        monkeypatch.setattr(transfer_fits, name, refused)
    other = open_study({**fields, "layers": ["st_gcn_networks.0", "st_gcn_networks.2"]}, tmp_path)
    assert advise_frozen(other["transfer"]).text == told
    (stage,) = [stage for stage in STAGES if stage.name == "09_summary"]
    assert {name for name in stage.shows if other.get(name.removesuffix("?")) is None} == {"noise?", "sample?"}


def test_6_maps_and_all_their_checks_run_on_the_device_of_the_study(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place in which `explain` runs a network is asked which device it was given."""
    _ = open_study(TINY, folder)["distances/trained/*"]
    asked: dict[str, set[str]] = {}

    def spy(module: Any) -> Any:
        def observing(*args: Any, device: str = "none", **kwargs: Any) -> Any:
            caller = sys._getframe(1).f_code.co_name
            asked.setdefault(f"{module.__name__.rpartition('.')[2]}.{caller}", set()).add(device)
            return activations.observing(*args, device="cpu", **kwargs)

        return observing

    for module in (gradcam, checks, import_module("stgcnlib.explain.faithfulness")):
        monkeypatch.setattr(module, "observing", spy(module))
    for home, name in ((checks, "grad_cam_set"), (import_module("stgcnlib.explain.randomisation"), "_explain")):
        function = getattr(home, name)

        def called(*args: Any, device: str = "none", name: str = name, function: Any = function, **kwargs: Any) -> Any:
            asked.setdefault(name, set()).add(device)
            return function(*args, device=device, **kwargs)

        monkeypatch.setattr(home, name, called)
    run = open_study({**TINY, "compute": {"device": "cuda:7"}}, folder)
    for name in ("maps", "map-evaluation"):
        run.forget(name)
    _ = run["map-evaluation"]
    assert {device for devices in asked.values() for device in devices} == {"cuda:7"}
    assert set(asked) >= {"gradcam._maps", "checks._best_two", "grad_cam_set", "_explain"}
    assert any(name.startswith("faithfulness.") for name in asked)


KEYS = """
import json
from stgcnlib.pipeline.run import open_study
run = open_study(json.loads({study!r}), "unused")
print(json.dumps({{name: run.key(name) for name in {names!r}}}))
"""
LATE = {"distances/trained/input", "geometry", "statistics", "map-evaluation", "summary"}
TRAINED = LATE | {"training/trained", "evaluation", "recordings", "activations/trained", "layers", "maps"}


def keys_in(folder: Path) -> dict[str, str]:
    """Keys by the package that lies in a folder."""
    code = KEYS.format(study=json.dumps(TINY), names=sorted(TRAINED | {"sequences"}))
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )  # fmt: skip
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A copy of the package, and keys by it."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(stgcnlib.__file__).parent, root / "stgcnlib", ignore=shutil.ignore_patterns("__pycache__"))
    return root, keys_in(root)


@pytest.mark.parametrize(
    ("edited", "again"),
    [
        ("dtw/kernels.py", LATE),
        ("explain/gradcam.py", {"maps", "map-evaluation", "summary"}),
        ("explain/faithfulness.py", {"map-evaluation"}),
        ("training/loop.py", TRAINED),
        ("demo/actions.py", TRAINED | {"sequences"}),
        ("figures/smoothness.py", {"summary"}),
        ("figures/relevance.py", {"summary"}),
        ("figures/dsgraph.py", set()),
        ("tables/examples.py", {"summary"}),
        ("report/html.py", set()),
    ],
)
def test_7_an_edited_source_makes_again_what_is_made_by_it(
    package: tuple[Path, dict[str, str]], edited: str, again: set[str]
) -> None:
    root, before = package
    file = root / "stgcnlib" / edited
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}\nEDITED = True\n", encoding="utf-8")
    try:
        after = keys_in(root)
    finally:
        file.write_text(text, encoding="utf-8")
    assert {name for name in before if before[name] != after[name]} == again


def test_8_neighbours_and_resampling_are_two_settings(tmp_path: Path) -> None:
    def grouping(**chosen: Any) -> Any:
        study = {**TINY, "graph": {"k": 4, **chosen}}
        return open_study(study, tmp_path / "any")["grouping"]

    assert grouping().neighbours == "other subjects"
    alone = grouping(leave_out=None)
    assert (alone.neighbours, alone.groups) == ("all", None)
    assert len(np.unique(alone.resample)) == 2  # still by subject: the test part has two


def test_9_opening_a_study_changes_nothing_in_the_process_or_the_folder(folder: Path) -> None:
    option = pd.get_option("display.max_colwidth")
    unfinished = folder / "artefacts" / ".unfinished" / "training" / "trained" / "somebody"
    unfinished.mkdir(parents=True)
    (unfinished / "last.ckpt").write_text("hours of work")
    run = open_study(TINY, folder)
    _ = run["network/trained"], run["history"]
    assert pd.get_option("display.max_colwidth") == option
    assert (unfinished / "last.ckpt").read_text() == "hours of work"
