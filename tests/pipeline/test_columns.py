"""Results that are tables are read with the columns that they should have, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import stgcnlib
from stgcnlib.artefacts.forms import _load_table, _load_tables
from stgcnlib.errors import DamagedError
from stgcnlib.pipeline.line.columns import EPOCHS
from stgcnlib.pipeline.line.table import LINE

VALUES = {"s": "x", "i": 1, "f": 0.5, "b": True}
SINGLE = {each.name: each.form for each in LINE if each.form and each.form.suffix == ".parquet"}
SETTINGS = {"data": {"demo": {"subjects": 4, "repeats": 1}, "split": {"train": [1, 3]}}}


def fitting(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name.replace("*", "x"): [VALUES[kind]] for name, kind in columns.items()})


@pytest.mark.parametrize("name", SINGLE)
def test_each_table_has_to_have_its_columns(name: str, tmp_path: Path) -> None:
    form, file = SINGLE[name], tmp_path / f"{name}.parquet"
    assert form.load.func is _load_table
    [layouts] = form.load.args
    for columns in layouts:
        table = fitting(columns)
        table.to_parquet(file)
        pd.testing.assert_frame_equal(form.load(file), table)
        table.iloc[:0].to_parquet(file)
        assert form.load(file).empty
        for column in table:
            table.drop(columns=column).to_parquet(file)
            with pytest.raises(ValueError, match=rf"{name}\.parquet: has no columns? .*{column.removesuffix('x')}"):
                form.load(file)
            table.assign(**{column: [["x"], [0.5]][isinstance(table[column][0], str)]}).to_parquet(file)
            with pytest.raises(ValueError, match=rf"{name}\.parquet: (column '{column}' holds|has no column)"):
                form.load(file)


def test_each_of_several_tables_has_to_be_there_with_its_columns(tmp_path: Path) -> None:
    form = LINE.artefacts["findings"].form
    assert form is not None
    assert form.load.func is _load_tables
    [known] = form.load.args
    for name, columns in known.items():
        fitting(columns).to_parquet(tmp_path / f"{name}.parquet")
    assert list(form.load(tmp_path)) == sorted(known)
    for name, columns in known.items():
        file = tmp_path / f"{name}.parquet"
        fitting(columns).drop(columns=list(columns)[-2:]).to_parquet(file)
        with pytest.raises(ValueError, match=rf"{name}\.parquet: has no columns '{list(columns)[-2]}', '"):
            form.load(tmp_path)
        file.unlink()
        with pytest.raises(OSError, match=name):
            form.load(tmp_path)
        fitting(columns).to_parquet(file)


def test_trainings_of_classes_and_of_values_have_their_measures() -> None:
    assert [set(columns) - {"epoch", "train_loss", "seconds"} for columns in EPOCHS] == [
        {"train_accuracy", "test_accuracy"}, {"train_r2", "test_r2"},
    ]  # fmt: skip


def test_a_study_names_the_file_its_columns_and_the_mend(tmp_path: Path) -> None:
    """A finished study refuses the result; a run makes it again."""
    run = stgcnlib.open_study(SETTINGS, tmp_path)
    whole, form = run["repeated"], LINE.artefacts["repeated"].form
    (tmp_path / "study.yml").write_text(run.study.to_yaml())

    def other(path: Path) -> None:
        whole.drop(columns=["part", "equals"]).to_parquet(path)

    assert form is not None
    run.store.write("repeated", form, run.key("repeated"), {}, other)
    with pytest.raises(DamagedError) as caught:
        stgcnlib.read_study(tmp_path)["repeated"]
    file = tmp_path / "artefacts" / "repeated.parquet"
    assert str(caught.value) == (
        f"{file}: cannot be read (repeated.parquet: has no columns 'part', 'equals'); make it again with: "
        f"stgcnlib run {tmp_path / 'study.yml'} -o {tmp_path}"
    )
    with pytest.warns(UserWarning, match=r"has no columns 'part', 'equals'\); the next run makes it again"):
        again: Any = stgcnlib.open_study(SETTINGS, tmp_path)["repeated"]
    pd.testing.assert_frame_equal(again, whole)
