"""Studies with a network and a graph of one's own: found beside the study file, read by axes, kept while unchanged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import stgcnlib
from stgcnlib import tables
from stgcnlib.activations.demand import LayersOnDemand
from stgcnlib.errors import AxesError, LayerNotFoundError, StudyError
from stgcnlib.networks import load_network
from stgcnlib.pipeline import Study
from stgcnlib.pipeline.own_code import asked_for

SOURCE = """
import torch
from torch import nn

class Mean(nn.Module):
    def __init__(self, layout, classes, channels, width=3):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(channels, width), nn.Linear(width, width)])
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = x[..., 0].permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x).relu()
        return self.head(x.mean(dim=(1, 2)))
"""

FIELDS: dict[str, Any] = {
    "data": {"path": "signals.npz", "split": {"by": "day", "train": [1, 2]}},
    "network": {"name": "mean_network:Mean", "axes": "NTVC", "options": {"width": 4}, "training": {"epochs": 1}},
    "layers": ["blocks.*"],
    "graph": {"k": 3, "leave_out": None},
    "controls": {"untrained": 1, "initial": 0},
    "explain": {"examples": 1, "per_class": 1, "sequences": 2, "units": ["joints"], "steps": 2, "draws": 1},
}


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Iterator[Path]:
    layout = stgcnlib.graph_layout("line", [(0, 1), (1, 2), (2, 3)])
    # The days of the test part lie higher: they must not move the training part's mean.
    levels = np.repeat([50.0, 50.0, 80.0, 80.0], 4)
    coords = [rng.normal(level, 10, (int(t), 4, 2)) for level, t in zip(levels, rng.integers(9, 13, 16), strict=True)]
    stgcnlib.SequenceSet(coords, labels=[0, 1] * 8, groups={"day": np.repeat([1, 2, 3, 4], 4)}, layout=layout).save(
        tmp_path / "signals.npz"
    )
    (tmp_path / "mean_network.py").write_text(SOURCE)
    yield tmp_path
    sys.modules.pop("mean_network", None)


def opened(folder: Path, /, *, trusted: bool = True, **network: Any) -> Any:
    fields = {**FIELDS, "network": {**FIELDS["network"], **network}}
    (folder / "study.yml").write_text(yaml.safe_dump(fields))
    run = stgcnlib.open_study(folder / "study.yml", folder / "out")
    if trusted and run.study.network.source is not None:
        stgcnlib.trust_study(run.study)
    return run


def test_the_line_from_file_to_relevance(folder: Path) -> None:
    run = opened(folder)
    train, test = (np.concatenate([c.reshape(-1, 2) for c in part.coords]) for part in run["parts"])
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-4)  # standardized, since there is no body
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-4)
    np.testing.assert_allclose(test.mean(axis=0), 3, atol=0.5)  # by the training part alone
    assert type(run["network/trained"]).__name__ == "Mean"
    assert [layer["name"] for layer in run["layers"]] == ["input", "blocks.0", "blocks.1"]
    store, untrained = run["activations/trained"], run["activations/untrained"]
    assert (store["blocks.1"].joints, store["blocks.1"].channels) == (4, 4)
    assert not np.array_equal(store["blocks.0"].sequence(0), untrained["blocks.0"].sequence(0))
    assert run["evaluation"].logits.shape == (8, 2)
    assert list(run["maps"][0]) == ["blocks.0", "blocks.1"]
    table = tables.limb_relevance(run["nodes"], run["explained"], run["maps"])
    assert set(table["limb"]) == {"joint 0", "joint 1", "joint 2", "joint 3"}
    np.testing.assert_allclose(table.groupby("index")["share"].sum(), 1, rtol=1e-5)
    assert run["geometry"].table["smoothness"].between(0, 1).all()
    assert set(run["map-evaluation"].summary["title"]) == {"blocks.0", "blocks.1"}


def test_the_study_written_out_finds_the_module_from_anywhere(folder: Path, tmp_path_factory: Any) -> None:
    text = opened(folder).study.to_yaml()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "study.yml"
    elsewhere.write_text(text)
    run = stgcnlib.open_study(elsewhere, folder / "out")
    assert run.study == opened(folder).study
    assert type(run["network/untrained"]).__name__ == "Mean"


def test_a_change_of_the_module_changes_the_key_but_not_axes_or_place(folder: Path) -> None:
    def keys(**network: Any) -> tuple[str, str]:
        run = opened(folder, **network)
        return run.key("training/trained"), run.key("activations/trained")

    training, activations = keys()
    assert keys(axes={"blocks.*": "NTVC"})[0] == training
    assert keys(options={"width": 5})[0] != training
    assert keys(axes="NCTV")[1] != activations
    (folder / "mean_network.py").write_text(SOURCE + "\n# another network\n")
    assert keys()[0] != training
    (folder / "mean_network.py").write_text(SOURCE)
    assert keys() == (training, activations)
    (folder / "elsewhere").mkdir()
    (folder / "mean_network.py").rename(folder / "elsewhere" / "mean_network.py")
    assert keys(folder="elsewhere") == (training, activations)


def test_wrong_axes_and_modules_are_named(folder: Path) -> None:
    with pytest.raises(AxesError, match=r"'blocks\.0' puts out .*, which is not 'NCTV': V cannot be .*'NTVC'"):
        opened(folder, axes="NCTV", options={"width": 5})["activations/trained"]
    with pytest.raises(StudyError, match="has no 'Median'; did you mean 'Mean'"):
        _ = opened(folder, name="mean_network:Median")["network/untrained"]
    with pytest.raises(StudyError, match="no module 'median_network'"):
        _ = opened(folder, name="median_network:Mean")["network/untrained"]


def test_what_would_fail_after_training_fails_before(folder: Path) -> None:
    opened(folder).check()
    with pytest.raises(AxesError, match=r"'NCVT', has \d+ channels for one recording"):
        opened(folder, axes="NCVT").check()
    with pytest.raises(StudyError, match=r"network\.axes: 'NTQV' is no axis string; write each of N"):
        opened(folder, axes="NTQV")
    run = opened(folder)
    wrong = stgcnlib.open_study(run.study.model_copy(update={"layers": ("layers.*",)}), folder / "out")
    with pytest.raises(LayerNotFoundError, match=r"Mean has no layer 'layers\.\*'"):
        wrong.check()
    assert not run.path("training/trained").exists()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("import torch\n", r"network 'mean_network:Mean': importing mean_network failed with SystemExit: 0$"),
        ("        super().__init__()\n", r"network 'mean_network:Mean' refuses .*: SystemExit: 0$"),
        ("    def forward(self, x):\n", r"network Mean: its forward pass called exit \(SystemExit: 0\)"),
    ],
)
def test_code_that_calls_exit_is_refused(folder: Path, where: str, said: str) -> None:
    """It would end the command without a word, as if it had done its work."""
    indent = "" if where.startswith("import") else "        "
    (folder / "mean_network.py").write_text(SOURCE.replace(where, f"{where}{indent}raise SystemExit(0)\n"))
    with pytest.raises(StudyError, match=rf"study\.yml: {said}"):
        opened(folder).check()


def test_a_checkpoint_of_unknown_family_gives_its_untrained_twin(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(9)
    layout = stgcnlib.SequenceSet.load(folder / "signals.npz").layout
    saved = load_network("st-gcn", layout=layout, classes=2, channels=2, width=4, depth=2, strategy="uniform")
    torch.save(saved.state_dict(), tmp_path / "weights.pt")
    run = opened(folder, name="auto", checkpoint="weights.pt", axes=None, options={})
    network, untrained = run["network/trained"], run["network/untrained"]
    assert torch.equal(network.fcn.weight, saved.fcn.weight)
    assert untrained.options == network.options
    assert not torch.equal(untrained.fcn.weight, saved.fcn.weight)


def test_study_fields(tmp_path: Path) -> None:
    zoo = Study.load({"network": {"name": "st-gcn"}}).network
    assert (zoo.folder, zoo.axes) == (None, None)
    own = Study.load({"network": {"name": "a.b:c", "folder": str(tmp_path), "axes": {"x.*": "NCTV"}}}).network
    assert (own.folder, own.axes) == (str(tmp_path), {"x.*": "NCTV"})
    with pytest.raises(StudyError, match=r"network\.axes"):
        Study.load({"network": {"axes": 3}})


CANARY = "from pathlib import Path\nPath(__file__).with_name('canary').touch()\n"


def test_code_that_a_study_names_runs_only_once_it_is_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("STGCNLIB_TRUSTED", "")
    canary = folder / "canary"
    (folder / "mean_network.py").write_text(CANARY + SOURCE)
    run = opened(folder, trusted=False)
    run.key("geometry")
    for look in (run.check, lambda: run["network/trained"], lambda: run["activations/untrained"]):
        with pytest.raises(StudyError, match=r"mean_network\.py is code that a study names.*read it.*--trust"):
            look()
    assert not canary.exists()

    stgcnlib.trust_study(run.study)
    monkeypatch.setenv("STGCNLIB_TRUSTED", "")  # as another process: what is remembered counts
    assert type(run["network/initial"]).__name__ == "Mean"
    assert canary.exists()

    for change in ("mean_network.py", "helper_beside_it.py"):
        with (folder / change).open("a") as file:
            file.write("\n# one line more\n")
        with pytest.raises(StudyError, match="only if you trust it"):
            opened(folder, trusted=False).check()
        stgcnlib.trust_study(run.study)
    with pytest.raises(StudyError, match="only if you trust it"):  # another function of the same module
        opened(folder, trusted=False, name="mean_network:nn").check()


@pytest.mark.parametrize("name", ["os:system", "subprocess:call", "shutil:rmtree"])
def test_no_study_calls_functions_of_installed_modules(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STGCNLIB_TRUSTED", "")
    with pytest.raises(StudyError, match="only if you trust it"):
        opened(folder, trusted=False, name=name, options={"path": str(folder), "command": "touch canary"}).check()
    assert (folder / "signals.npz").is_file()


def test_the_command_asks_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stgcnlib import cli

    monkeypatch.setenv("STGCNLIB_TRUSTED", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    study = opened(folder, trusted=False).study
    asked: list[str] = []
    monkeypatch.setattr(cli.typer, "confirm", lambda text, **_: bool(asked.append(text)))
    cli._allow(study, trust=False)
    assert asked == []  # nobody could answer
    monkeypatch.setattr(cli.sys.stdin, "isatty", lambda: True, raising=False)
    cli._allow(study, trust=False)
    assert len(asked) == 1
    assert asked_for(study) == ("mean_network:Mean", folder / "mean_network.py")  # the answer was no
    cli._allow(study, trust=True)
    cli._allow(study, trust=False)
    assert len(asked) == 1
    assert asked_for(study) is None


def test_features_recorded_again_ask_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe of layers names code as a study does; its folder is written relative to the study's."""
    fields = {**FIELDS, "compute": {"activations": "recompute"}}
    (folder / "study.yml").write_text(yaml.safe_dump(fields))
    run = stgcnlib.open_study(folder / "study.yml", folder / "out")
    stgcnlib.trust_study(run.study)
    expected = run["activations/trained"]["blocks.0"].sequence(0)
    recipe = run.path("activations/trained") / "recipe.json"
    assert str(folder) not in recipe.read_text()
    store = LayersOnDemand.open(recipe.parent)
    np.testing.assert_array_equal(store["blocks.0"].sequence(0), expected)
    monkeypatch.setenv("STGCNLIB_TRUSTED", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    with pytest.raises(StudyError, match="only if you trust it"):
        LayersOnDemand.open(recipe.parent)["blocks.0"].sequence(0)
