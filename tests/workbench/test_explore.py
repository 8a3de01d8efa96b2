"""`explore` on a finished study: what it shows is what the study holds, and the study stays as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import small_study
from workbench_source import RecordedComm, recorded

import stgcnlib
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.finished import read_study
from stgcnlib.workbench.background import Cancelled
from stgcnlib.workbench.studies import StudySource


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory)


@pytest.fixture
def comms() -> Iterator[list[RecordedComm]]:
    with recorded() as opened:
        yield opened


def on_disk(folder: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def test_a_study_stays_as_it_was_whatever_is_asked(folder: Path, comms: list[RecordedComm]) -> None:
    before = on_disk(folder)
    workbench = stgcnlib.explore(folder, state={"colour": "smoothness"})
    source: Any = workbench._source
    name = workbench.table.index[3]
    assert source.open(name, "trained", 2)["neighbours"]
    assert source.relevance(name, "trained", 2)["relevance"] == "stored"
    assert source.map("untrained")["key"] == "untrained"
    assert name in workbench.to_html()
    assert workbench.state == {"colour": "smoothness"}
    workbench.close()
    assert on_disk(folder) == before


def test_the_content_is_what_the_study_holds(folder: Path) -> None:
    study, source = read_study(folder), StudySource(folder)
    nodes, geometry, content = study["nodes"], study["geometry"], source.figure.content
    assert content["nodes"]["names"] == list(nodes.names)
    by_key = {category["key"]: category for category in content["nodes"]["categories"]}
    np.testing.assert_array_equal(by_key["class"]["codes"], nodes.labels)
    np.testing.assert_array_equal(by_key["predicted"]["codes"], study["recordings"]["predicted"])
    (shown,) = content["maps"]
    np.testing.assert_allclose(shown["curve"], geometry.curve("trained")["smoothness"], rtol=1e-6)
    assert [each["key"] for each in content["offered"]] == [name for name in geometry.networks() if name != "trained"]
    assert content["subtitle"].startswith(f"{folder.parent.name}/small, made 20")
    untrained = source.map("untrained")
    np.testing.assert_allclose(untrained["smoothness"], geometry.node_values("untrained"), rtol=1e-6)


def test_an_older_study_without_places_gets_the_same_ones_in_memory(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "small"
    shutil.copytree(folder, old, ignore=shutil.ignore_patterns("planes*"))
    stored, told = StudySource(folder), []
    placed = StudySource(old, progress=lambda share, text: told.append((share, text)))
    points = [source.figure.content["maps"][0]["points"] for source in (stored, placed)]
    np.testing.assert_allclose(*points, atol=1e-4)
    assert "places computed now" in placed.figure.content["subtitle"]
    assert "places" not in stored.figure.content["subtitle"]
    layers = len(placed.figure.content["maps"][0]["layers"])
    assert [share for share, _ in told] == pytest.approx(np.arange(layers) / layers)
    assert told[0][1].startswith("placing recordings of trained: input")


def test_placing_ends_where_it_is_no_longer_wanted(folder: Path) -> None:
    source = StudySource(folder)

    def unwanted(share: float, text: str) -> None:
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        source.map("untrained", unwanted)


def test_networks_and_studies_that_are_not_there_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no network 'untraind'.*did you mean 'untrained'"):
        stgcnlib.explore(folder, networks=["untraind"])
    with pytest.raises(StudyError, match="one study or two, not 3"):
        stgcnlib.explore(folder, folder, folder)
    with pytest.raises(StudyError, match=r"no study\.yml"):
        stgcnlib.explore(tmp_path)
    with pytest.raises(StudyError, match=r"no recording 'nobody'"):
        StudySource(folder).open("nobody", "trained", 0)
    with pytest.raises(StudyError, match="not of 'untrained'"):
        StudySource(folder).relevance("nobody", "untrained", 0)


def test_chosen_networks_come_first(folder: Path) -> None:
    content = StudySource(folder, networks=["untrained", "trained"]).figure.content
    assert [each["key"] for each in content["maps"]] == ["untrained", "trained"]
    assert content["maps"][0]["title"] == "untrained network"
    assert {each["key"] for each in content["offered"]}.isdisjoint({"untrained", "trained"})


def test_a_workbench_opens_without_torch(folder: Path) -> None:
    """It takes seconds to load, and only opening recordings needs it."""
    code = f"from stgcnlib.workbench.studies import StudySource; StudySource({str(folder)!r}); import sys; "
    result = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
