"""Results changed at random, by somebody who also writes their sums: they are read or refused, and nothing else."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import full_study, small_study
from test_damage import inside, results, use
from tiny_network import TinyNetwork

from stgcnlib.activations import LayerStore, record
from stgcnlib.artefacts import MANIFEST, Sums
from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import SkeletonFormatError, StgcnlibError
from stgcnlib.pipeline import read_study
from stgcnlib.sequences import SequenceSet

SECONDS = 60
"""More than any of these small files may take, on a busy machine too."""
VALUES: tuple[Any, ...] = (None, -1, 0, 10**11, 1e308, float("nan"), "x", "", "../../x", [], {}, [[1]], True)


class HangError(BaseException):
    """An input took too long."""


@contextmanager
def limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def of_bytes(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.choice([1, 8, 200]))
    match rng.randrange(5):
        case 0:
            content[start:end] = rng.randbytes(end - start)
        case 1:
            del content[start:end]
        case 2:
            content[start:start] = content[start:end]
        case 3:
            del content[start:]
        case 4:
            content[start:end] = bytes(end - start)
    file.write_bytes(content)


def of_json(file: Path, rng: random.Random) -> None:
    content = json.loads(file.read_text())
    above: Any = None
    key: Any = None
    node = content
    while isinstance(node, dict | list) and node and (above is None or rng.random() < 0.7):
        above, key = node, rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = node[key]
    if above is None:
        content = rng.choice(VALUES)
    elif rng.random() < 0.2:
        del above[key]
    else:
        above[key] = rng.choice(VALUES)
    file.write_text(json.dumps(content))


def of_arrays(file: Path, rng: random.Random) -> None:
    with np.load(file) as stored:
        arrays = dict(stored)
    name = rng.choice(list(arrays))
    array = arrays[name]
    match rng.randrange(8):
        case 0:
            del arrays[name]
        case 1:
            arrays[name] = array[..., None]
        case 2:
            arrays[name] = array.reshape(-1)[: rng.randrange(array.size + 1)]
        case 3:
            arrays[name] = array.astype(np.str_)
        case 4 if array.dtype.kind in "iuf":
            arrays[name] = -array - 1
        case 5 if array.dtype.kind in "iuf":
            arrays[name] = array * 1000 + 10**11
        case 6 if array.dtype.kind == "f":
            arrays[name] = array * np.nan
        case 7:
            arrays["more"] = array
    np.savez_compressed(file, **arrays)


def of_table(file: Path, rng: random.Random) -> None:
    table = pd.read_parquet(file)
    name = rng.choice(list(table.columns)) if len(table.columns) else None
    match rng.randrange(4):
        case 0 if name is not None:
            table = table.drop(columns=name)
        case 1 if name is not None:
            table[name] = table[name].astype(str)
        case 2:
            table = table.head(rng.randrange(len(table) + 1))
        case 3 if name is not None:
            table[name] = rng.choice(VALUES[:5])
    table.to_parquet(file)


FORMS: dict[str, Callable[[Path, random.Random], None]] = {
    ".json": of_json, ".npz": of_arrays, ".parquet": of_table,
}  # fmt: skip


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums are right, whatever files hold."""
    for check in ("check", "check_names"):
        monkeypatch.setattr(Sums, check, lambda self: None)
    monkeypatch.setattr(Sums, "check_content", lambda self, name, content: None)


def fuzz(folder: Path, count: int, tally: Callable[..., None]) -> None:
    study, rng = read_study(folder), random.Random(count)
    paths = [path for path in results(folder / "artefacts") if path.name != "summary"]
    names = {path: json.loads(path.with_name(path.name + MANIFEST).read_text())["artefact"] for path in paths}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong = []
    for _ in range(count):
        path = rng.choice(paths)
        file = rng.choice(inside(path))
        kept = file.read_bytes()
        change = FORMS.get(file.suffix, of_bytes) if rng.random() < 0.6 else of_bytes
        change(file, rng)
        study.release()
        try:
            with limited(), np.errstate(all="ignore"):
                use(study, names[path])
        except StgcnlibError as error:
            if str(folder) not in str(error):
                wrong.append(f"{file.relative_to(folder)}, {change.__name__}: names no file: {error}")
        except (Exception, HangError) as error:
            wrong.append(f"{file.relative_to(folder)}, {change.__name__}: {type(error).__name__}: {error}")
        finally:
            file.write_bytes(kept)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    tally("changed results", inputs=count, raw=len(wrong))
    assert not wrong, "\n".join(wrong[:20])
    assert grown < 1.0


@pytest.mark.usefixtures("believed")
def test_some_changed_results(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, tally: Any) -> None:
    fuzz(Path(shutil.copytree(small_study(tmp_path_factory), tmp_path / "study")), 200, tally)


@pytest.mark.long
@pytest.mark.usefixtures("believed")
def test_many_changed_results(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, tally: Any) -> None:
    fuzz(Path(shutil.copytree(full_study(tmp_path_factory), tmp_path / "study")), 10_000, tally)


def test_files_that_claim_more_than_they_hold_cost_nothing(tmp_path: Path, small_set: SequenceSet) -> None:
    """A header of 40 GB, 600 MiB of zeros in some 3 MB, and a zarr array of 10^9 rows."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header = tmp_path / "header.npz"
    with zipfile.ZipFile(header, "w") as archive, archive.open("candidates.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f8", "fortran_order": False, "shape": (5_000_000_000,)}
        )
    zeros = tmp_path / "zeros.npz"
    with (
        zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("candidates.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (600 * 2**20,)})
        for _ in range(600):
            member.write(bytes(2**20))
    for file in (header, zeros):
        with pytest.raises(StgcnlibError, match=file.name):
            DSGraph.load(file)
    record(TinyNetwork(), small_set, store=tmp_path / "layers")
    for name, change in (("zarr.json", '"lengths": ['), ("layer01/zarr.json", '"shape": [')):
        copy = Path(shutil.copytree(tmp_path / "layers", tmp_path / name.replace("/", "-")))
        text = " ".join((copy / name).read_text().split()).replace("[ ", "[")
        head, _, tail = text.partition(change)
        (copy / name).write_text(f"{head}{change}1000000000{tail}")
        with pytest.raises(SkeletonFormatError, match=copy.name):
            LayerStore.open(copy)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # KiB
