"""Where the shared data lies, and small objects that many tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stgcnlib.sequences import SequenceSet

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those marked `long` run with STGCNLIB_FAULTS=all, as `make faults` sets it."""
    for item in items:
        if os.environ.get("STGCNLIB_FAULTS") != "all" and item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long; make faults runs it"))


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable) or REPOSITORY.parent / "shared" / default)
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; point {variable} at the shared '{default}' folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of the user who runs the tests stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home := tmp_path_factory.mktemp("state")))
        patch.delenv("STGCNLIB_TRUSTED", raising=False)
        yield home


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real skeleton sets (`STGCNLIB_DATA`, default ../shared/data)."""
    return _folder("STGCNLIB_DATA", "data")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Activations of published networks (`STGCNLIB_GOLDEN`, default ../shared/golden)."""
    return _folder("STGCNLIB_GOLDEN", "golden")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20241)


@pytest.fixture
def small_set(rng: np.random.Generator) -> SequenceSet:
    """Eight random walks of a 20-joint skeleton: two classes, four subjects, 12 to 26 frames."""
    lengths = [12, 26, 15, 20, 18, 13, 22, 17]
    coords = [np.cumsum(rng.normal(0, 0.05, (t, 20, 3)), axis=0) + rng.normal(0, 1, (20, 3)) for t in lengths]
    return SequenceSet(
        coords,
        labels=[0, 1] * 4,
        class_names=["wave", "kick"],
        groups={"subject": [1, 1, 2, 2, 3, 3, 4, 4]},
        layout="kinect-v1",
    )


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process and those that it starts make temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder
