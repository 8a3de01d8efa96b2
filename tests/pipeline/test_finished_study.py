"""A finished study is read as it lies, whatever made it and wherever its recordings are, and nothing in it changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_study import small_study

from stgcnlib.errors import ArtefactError, StudyError
from stgcnlib.pipeline import read_study


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "passed on"))


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


def altered(folder: Path, **changes: str) -> None:
    """As if another version had made all results, from other settings."""
    for manifest in (folder / "artefacts").rglob("*.manifest.json"):
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))


def test_a_study_of_another_version_without_its_recordings_is_read(whole: Path, folder: Path) -> None:
    altered(folder, key="of another version", stgcnlib="0.0.7")
    content = yaml.safe_load((folder / "study.yml").read_text())
    content["data"] |= {"path": "/gone/recordings", "demo": None}
    (folder / "study.yml").write_text(yaml.safe_dump(content))
    before = state(folder)
    study, other = read_study(folder), read_study(whole)
    assert study.version == "0.0.7"
    assert study.made == other.made != ""
    for name in ("recordings", "layers", "explained", "grouping"):
        assert str(study[name]) == str(other[name])
    assert study["nodes"].names == other["nodes"].names
    assert study["geometry"].table.equals(other["geometry"].table)
    for layer, distances in study["distances/trained/*"].items():
        np.testing.assert_array_equal(distances, other["distances/trained/*"][layer])
    assert state(folder) == before


def test_what_is_not_there_is_said_and_not_made(folder: Path) -> None:
    shutil.rmtree(folder / "artefacts" / "geometry")
    before = state(folder)
    study = read_study(folder)
    assert study.has("findings")
    assert not study.has("geometry")
    assert not study.has("noise")
    with pytest.raises(ArtefactError, match=r"'geometry' does not exist.*stgcnlib run .*study.yml -o "):
        study["geometry"]
    with pytest.raises(StudyError, match="no section 'noise'"):
        study["noise"]
    for change in (study.make, study.forget):
        with pytest.raises(ArtefactError, match="only read"):
            change("geometry")
    assert state(folder) == before


def test_damage_is_no_result(folder: Path) -> None:
    file = folder / "artefacts" / "recordings.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"recordings.parquet: is not as it was written"):
        read_study(folder)["recordings"]


def test_a_result_without_its_manifest_is_refused(folder: Path) -> None:
    (folder / "artefacts" / "layers.json.manifest.json").unlink()
    with pytest.raises(ArtefactError, match=r"layers\.json: has no manifest"):
        read_study(folder)["layers"]


def test_folders_without_results_are_refused(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(StudyError, match=r"no finished study lies here"):
        read_study(tmp_path)
    shutil.copy(whole / "study.yml", tmp_path)
    with pytest.raises(StudyError, match="has no results yet"):
        read_study(tmp_path)
