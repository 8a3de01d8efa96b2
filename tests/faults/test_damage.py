"""Every form of a result, damaged in ten ways: all of it is found, by `verify`, on reading, and by the next run."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_study import SMALL, full_study, small_study
from typer.testing import CliRunner

import stgcnlib
from stgcnlib.activations import LayerStore
from stgcnlib.artefacts import MANIFEST
from stgcnlib.cli import app
from stgcnlib.errors import DamagedError, StgcnlibError, StudyError
from stgcnlib.pipeline import read_study
from stgcnlib.pipeline.finished import FinishedStudy
from stgcnlib.pipeline.verify import verify_study
from stgcnlib.report import render_report
from stgcnlib.studies.finished import read_finished

Damage = Callable[[Path, Path], bool]


def flip(file: Path, other: Path) -> bool:
    content = bytearray(file.read_bytes())
    if content:
        content[len(content) // 2] ^= 16
    file.write_bytes(content)
    return bool(content)


def zero(file: Path, other: Path) -> bool:
    content = bytearray(file.read_bytes())
    start = len(content) // 3
    block = content[start : start + 64]
    content[start : start + 64] = bytes(len(block))
    file.write_bytes(content)
    return any(block)


def cut(file: Path, other: Path) -> bool:
    os.truncate(file, file.stat().st_size // 2)
    return True


def empty(file: Path, other: Path) -> bool:
    whole = file.stat().st_size > 0
    file.write_bytes(b"")
    return whole


def remove(file: Path, other: Path) -> bool:
    file.unlink()
    return True


def replace(file: Path, other: Path) -> bool:
    before, content = file.read_bytes(), other.read_bytes()
    file.write_bytes(content)
    return before != content


def noise(file: Path, other: Path) -> bool:
    file.write_bytes(random.Random(file.name).randbytes(max(file.stat().st_size, 8)))
    return True


def more(file: Path, other: Path) -> bool:
    shutil.copyfile(other, file.with_name(f"more-{other.name.removesuffix(MANIFEST)}"))
    return True


def forbid(file: Path, other: Path) -> bool:
    file.chmod(0)
    return os.geteuid() != 0  # root may read it still


def swap(file: Path, other: Path) -> bool:
    """The halves of a file in the other order: its size and times stay."""
    status, content = file.stat(), file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[half:] + content[:half])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    return content[half:] + content[:half] != content


DAMAGES: tuple[Damage, ...] = (flip, zero, cut, empty, remove, replace, noise, more, forbid, swap)


def results(home: Path) -> Iterator[Path]:
    for manifest in sorted(home.rglob(f"*{MANIFEST}")):
        yield manifest.with_name(manifest.name.removesuffix(MANIFEST))


def inside(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def use(study: FinishedStudy, name: str) -> None:
    """Read a result as a page would, everything in it."""
    value = study[name]
    if isinstance(value, LayerStore):
        for layer in value:
            value[layer].load()
        value.scores  # noqa: B018
    for each in getattr(value, "graphs", {}).values():
        len(each)


@pytest.fixture
def copied(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_study(tmp_path_factory), tmp_path / "study"))


@pytest.fixture
def everything(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return Path(shutil.copytree(full_study(tmp_path_factory), tmp_path / "study"))


def damaged(folder: Path, path: Path, file: Path, damage: Damage, other: Path, tally: Callable[..., None]) -> None:
    """Damage one file of a result, see that it is found, and put it back."""
    kept, manifest = folder.parent / "kept", path.with_name(path.name + MANIFEST)
    shutil.copytree(path, kept) if path.is_dir() else shutil.copyfile(path, kept)
    before, how = manifest.read_bytes(), f"{damage.__name__} of {file}"
    if damage(file, other):
        said = found(folder, path, json.loads(before)["artefact"], damage)
        gone = damage is remove and "does not exist, and a finished study is only read" in said
        right = (path.name in said or gone) and "make it again with" in said
        tally("damage", damaged=1, found=right, silent=not said, raw=said.startswith("raw"), unclear=not right)
        assert right, f"{how}: {said or 'not found'}"
    for extra in path.parent.rglob("more-*"):
        extra.unlink()
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    kept.rename(path)
    manifest.write_bytes(before)


def found(folder: Path, path: Path, name: str, damage: Damage) -> str:
    """What is said when a damaged result is read; "" if it is used as if it were whole."""
    try:
        use(read_study(folder), name)
    except StgcnlibError as error:
        return str(error)
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"
    if damage is more and not path.is_dir():  # a file beside it is no part of it
        strays = [line for line in verify_study(folder).problems if "has no manifest" in line]
        return f"{path.name}: make it again with {strays[0]}" if strays else ""
    return ""


def test_a_share_of_all_damage_is_found(copied: Path, tally: Callable[..., None]) -> None:
    rng = random.Random(17)
    paths = list(results(copied / "artefacts"))
    rng.shuffle(paths)
    for number, path in enumerate(paths):
        damage = DAMAGES[number % len(DAMAGES)]
        damaged(copied, path, rng.choice(inside(path)), damage, rng.choice(inside(rng.choice(paths))), tally)


@pytest.mark.long
def test_all_damage_is_found(everything: Path, tally: Callable[..., None]) -> None:
    rng = random.Random(0)
    paths = list(results(everything / "artefacts"))
    for path in paths:
        files = inside(path)
        for file in files if len(files) < 6 else rng.sample(files, 6):
            for damage in DAMAGES:
                damaged(everything, path, file, damage, rng.choice(inside(rng.choice(paths))), tally)
        for damage in (cut, empty, remove, noise, replace):
            other = rng.choice([each for each in paths if each != path])
            manifests = [each.with_name(each.name + MANIFEST) for each in (path, other)]
            damaged(everything, path, manifests[0], damage, manifests[1], tally)


def test_a_whole_study_is_whole(copied: Path) -> None:
    health = verify_study(copied)
    assert health.problems == ()
    assert health.artefacts == len(list(results(copied / "artefacts"))) > 20
    assert health.files > health.artefacts
    rng = random.Random(5)
    for path in rng.sample(list(results(copied / "artefacts")), 3):
        cut(rng.choice(inside(path)), path)
    assert len(verify_study(copied).problems) >= 3


def test_the_next_run_makes_again_what_is_damaged(copied: Path) -> None:
    for name in ("layers.json", "recordings.parquet"):
        flip(copied / "artefacts" / name, copied)
    run = stgcnlib.open_study(SMALL, copied)
    run["recordings"], run["layers"]
    assert verify_study(copied).problems == ()


def test_tables_notebooks_and_strays_are_looked_at(copied: Path) -> None:
    table = next((copied / "tables").glob("*.parquet"))
    cut(table, table)
    (copied / "artefacts" / "stray.json").write_text("{}")
    (copied / "notebooks").mkdir()
    (copied / "pages").mkdir()
    notebook = copied / "notebooks" / "00_data.ipynb"
    notebook.write_text("{}")
    entry = {"mark": "", "seconds": 1.0, "sum": "0" * 64}
    (copied / "stages.json").write_text(json.dumps({"notebooks": {"00_data": entry, "01": entry}}))
    (copied / "pages" / "else.html").write_text("")
    problems = verify_study(copied).problems
    for words in (f"{table}: ", "stray.json: has no manifest", "00_data.ipynb: is not as it was written",
                  "01.ipynb: is missing", "00_data.html: is missing", "else.html: belongs to no notebook"):  # fmt: skip
        assert sum(words in line for line in problems) == 1, (words, problems)


def test_a_report_shows_nothing_that_is_damaged(copied: Path) -> None:
    with pytest.raises(StgcnlibError):
        render_report(copied / "artefacts")
    render_report(copied)
    for place in ("layers.json", "summary/summary.json", "summary/curve.png"):
        file = copied / "artefacts" / place
        kept = file.read_bytes()
        for damage in (flip, cut, empty, remove):
            damage(file, file)
            with pytest.raises(DamagedError, match=r"artefacts/(layers\.json|summary)[^;]*; make it again with"):
                render_report(copied)
            file.write_bytes(kept)
    manifest = copied / "artefacts" / f"summary{MANIFEST}"
    manifest.unlink()
    with pytest.raises(DamagedError, match="summary: has no manifest"):
        render_report(copied)


def test_a_comparison_reads_nothing_that_is_damaged(copied: Path) -> None:
    whole = copied.parent / "whole"
    shutil.copytree(copied, whole)
    assert len(read_finished([copied, whole])) == 2
    for place in ("recordings.parquet", "geometry/per_node.parquet", "geometry/left_out.npz", "summary/summary.json"):
        file = copied / "artefacts" / place
        kept = file.read_bytes()
        flip(file, file)
        with pytest.raises(StudyError, match="is not as it was written"):
            read_finished([copied, whole])
        file.write_bytes(kept)


def test_the_command_says_what_is_wrong_and_ends_with_1(copied: Path) -> None:
    told = CliRunner().invoke(app, ["verify", str(copied)])
    assert told.exit_code == 0
    assert re.match(r"\d+ artefacts, \d+ files, \d+\.\d MiB: every file equals its checksum\n", told.stdout)
    (copied / "artefacts" / "layers.json").write_text("[]")
    told = CliRunner().invoke(app, ["verify", str(copied)])
    assert told.exit_code == 1
    assert "layers.json: is not as it was written; make it again with: stgcnlib run" in told.stdout
