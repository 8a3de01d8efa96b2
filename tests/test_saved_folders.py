"""Results that are saved as folders replace an earlier result, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stgcnlib.errors import OutputError
from stgcnlib.explain import MapEvaluation
from stgcnlib.geometry import LayerGeometry, LayerStatistics
from stgcnlib.leakage import Leakage
from stgcnlib.studies.kept import save_tables

TABLE = pd.DataFrame({"a": [1.0]})
SAVED: dict[str, Callable[[Path], None]] = {
    "geometry": LayerGeometry(TABLE, TABLE, TABLE, {}, np.zeros(2, dtype=np.int64)).save,
    "statistics": LayerStatistics(TABLE, TABLE).save,
    "leakage": Leakage(TABLE, TABLE, {}).save,
    "evaluation": MapEvaluation(*[TABLE] * 8).save,
    "tables": lambda folder: save_tables(folder, {"a": TABLE}, kind="noise", settings={}),
}


@pytest.mark.parametrize("name", SAVED)
def test_only_an_earlier_result_is_replaced(name: str, tmp_path: Path) -> None:
    save, folder, file = SAVED[name], tmp_path / "thesis", tmp_path / "notes.txt"
    save(folder)
    files = {path.name for path in folder.iterdir()}
    save(folder)
    assert {path.name for path in folder.iterdir()} == files
    for path in folder.iterdir():
        path.rename(tmp_path / f"moved-{path.name}")
    for mine in (folder / "chapter.tex", folder / "manifest.json", file):
        mine.write_text("mine")
        with pytest.raises(OutputError, match=r"(holds other files|is a file).*give another path or remove it"):
            save(mine if mine == file else folder)
        assert mine.read_text() == "mine"
