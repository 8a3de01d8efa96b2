"""Pooled features of a study as one parquet file: values against the network itself, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from small_study import small_study
from typer.testing import CliRunner

from stgcnlib import cli, load_network, record
from stgcnlib.activations.pooled import PooledLayer, pool_recordings, pool_store
from stgcnlib.errors import ArtefactError, OutputError, StudyError
from stgcnlib.pipeline import read_study
from stgcnlib.pipeline.embed import embed_study, write_features
from stgcnlib.sequences import SequenceSet

runner = CliRunner()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory)


def stacked(table: pd.DataFrame, layer: str) -> np.ndarray:
    return np.stack(table.loc[table["layer"] == layer, "features"].to_list())


def test_rows_are_recordings_and_layers(study: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "features.parquet"
    result = runner.invoke(cli.app, ["embed", str(study), "-o", str(file)])
    assert result.exit_code == 0, result.output
    assert result.output.replace("\n", "") == str(file)
    assert [path.name for path in file.parent.iterdir()] == ["features.parquet"]
    table, run = pd.read_parquet(file), read_study(study)
    nodes, layers = run["nodes"], run["layers"]
    assert list(table.columns) == [
        "recording", "name", "label", "class_name", *(f"group {name}" for name in nodes.groups),
        "layer", "title", "depth", "frames", "features",
    ]  # fmt: skip
    assert len(table) == len(nodes) * len(layers)
    for number, (name, rows) in enumerate(table.groupby("layer", sort=False)):
        assert name == layers[number]["name"]
        assert rows["depth"].unique().tolist() == [layers[number]["index"]]
        assert rows["name"].tolist() == list(nodes.names)
        assert rows["label"].tolist() == nodes.labels.tolist()
        assert rows["class_name"].tolist() == [nodes.class_names[c] for c in nodes.labels]
        assert rows["group subject"].tolist() == nodes.groups["subject"].tolist()
        assert rows["frames"].tolist() == run["activations/trained"][name].lengths.tolist()
    told = json.loads(pq.read_schema(file).metadata[b"stgcnlib"])
    assert (told["study"], told["part"]) == ("small", "nodes")


def test_features_are_what_the_head_reads(study: Path, tmp_path: Path) -> None:
    """The last layer's features, through the classifier, are the network's own scores."""
    run = read_study(study)
    network, nodes = run["network/trained"], run["nodes"]
    table = pd.read_parquet(embed_study(study, tmp_path / "features.parquet"))
    features = torch.from_numpy(stacked(table, network.layer_names[-1]))
    with torch.no_grad():
        scores = network.fcn(features[:, :, None, None]).flatten(1).numpy()
        for i in (0, len(nodes) - 1):
            batch = torch.from_numpy(nodes.people(i)).permute(3, 1, 2, 0)[None]
            np.testing.assert_allclose(network(batch).numpy()[0], scores[i], atol=1e-4)
    inputs = stacked(table, "input")
    for i in range(len(nodes)):
        np.testing.assert_allclose(inputs[i], nodes.people(i)[0].mean(axis=(0, 1)), atol=1e-5)


@pytest.mark.parametrize("part", ["train", "test", "all"])
def test_other_recordings_pass_through_the_network(study: Path, tmp_path: Path, part: str) -> None:
    file = tmp_path / "features.parquet"
    result = runner.invoke(cli.app, ["embed", str(study), "-o", str(file), "--part", part])
    assert result.exit_code == 0, result.output
    run, table = read_study(study), pd.read_parquet(file)
    data = {"train": run["parts"][0], "test": run["parts"][1], "all": run["sequences"]}[part]
    first = table[table["depth"] == 0]
    assert first["name"].tolist() == list(data.names)
    np.testing.assert_allclose(stacked(table, "input"), [data.people(i)[0].mean(axis=(0, 1)) for i in range(len(data))],
                               atol=1e-5)  # fmt: skip


def test_passing_and_keeping_are_the_same() -> None:
    rng = np.random.default_rng(0)
    coords = [rng.normal(size=(2, T, 25, 3)).astype(np.float32) for T in (9, 14, 9)]
    coords[1][1] = 0
    data = SequenceSet(coords, layout="ntu-rgb+d")
    network = load_network("st-gcn", layout="ntu-rgb+d", classes=3, width=4, depth=2, seed=0)
    kept = list(pool_store(record(network, data)))
    for one, other in zip(kept, pool_recordings(network, data), strict=True):
        assert (one.name, one.title, one.index) == (other.name, other.title, other.index)
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.features, other.features)
    # Two people side by side: the second one's channels follow the first one's, and are zero where nobody is.
    assert kept[0].features.shape == (3, 6)
    np.testing.assert_allclose(kept[0].features[0, 3:], coords[0][1].mean(axis=(0, 1)), atol=1e-6)
    half = kept[2].features.shape[1] // 2
    assert kept[2].features[1, :half].any()
    np.testing.assert_array_equal(kept[2].features[1, half:], 0)


def test_targets_are_columns(tmp_path: Path) -> None:
    coords = np.random.default_rng(0).normal(size=(3, 8, 25, 3))
    data = SequenceSet(list(coords), layout="ntu-rgb+d", targets=[1.0, 2.0, 4.0], target_names=["speed"])
    layer = PooledLayer("input", "input", 0, data.lengths, np.zeros((3, 2), dtype=np.float32))
    write_features(tmp_path / "f.parquet", data, [layer])
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert table["target speed"].tolist() == [1, 2, 4]
    assert "label" not in table


def test_nothing_half_written_takes_the_place_of_a_file(tmp_path: Path) -> None:
    data = SequenceSet(list(np.ones((2, 8, 25, 3))), layout="ntu-rgb+d")
    file = tmp_path / "f.parquet"
    file.write_text("mine")
    good = PooledLayer("input", "input", 0, data.lengths, np.zeros((2, 2), dtype=np.float32))
    short = PooledLayer("l1", "layer 1", 1, data.lengths[:1], np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(StudyError, match="'l1' has features of 1 recordings, the set has 2"):
        write_features(file, data, [good, short])
    with pytest.raises(StudyError, match="no layer"):
        write_features(file, data, [])
    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["f.parquet"]


def test_what_cannot_be_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="did you mean 'train'"):
        embed_study(study, tmp_path / "f.parquet", part="trian")  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="is a folder"):
        embed_study(study, tmp_path)
    with pytest.raises(StudyError, match="no finished study"):
        embed_study(tmp_path, tmp_path / "f.parquet")
    copy = Path(shutil.copytree(study, tmp_path / "copy"))
    shutil.rmtree(copy / "artefacts" / "activations")
    with pytest.raises(ArtefactError, match="does not exist"):
        embed_study(copy, tmp_path / "f.parquet")
