"""Very long recordings and very many: refused by arithmetic before a pass, or through within 3 GiB."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stgcnlib
from stgcnlib.artefacts import Onlooker
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.estimate import estimate, longest
from stgcnlib.pipeline.estimate.facts import find_facts
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study
from stgcnlib.sequences import SequenceSet

SMALL = {"width": 4, "depth": 3}
LIMIT = 3.0
"""GiB that a process may take."""
STUDY = """
import json, resource, sys
from pathlib import Path
import stgcnlib
from stgcnlib.errors import StgcnlibError
from stgcnlib.pipeline.estimate import foresee
home, names = Path(sys.argv[1]), sys.argv[2:]
run = stgcnlib.open_study(home / "study.yml", home / "report")
try:
    run.check()
    foresee(run, run.study, workers=1)
    for name in names:
        run[name]
except StgcnlibError as error:
    print(f"REFUSED {error}")
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20))
"""


def write(home: Path, lengths: list[int], *, options: dict[str, Any] | None = None, **settings: Any) -> Study:
    """Recordings of these lengths, of three classes and four subjects in turn, and a study of them."""
    rng = np.random.default_rng(0)
    coords = [
        rng.normal(0, 0.3, (length, 20, 3)).astype(np.float32) + 0.1 * (i % 3) for i, length in enumerate(lengths)
    ]
    subjects = [i // 3 % 4 + 1 for i in range(len(lengths))]
    SequenceSet(
        coords, labels=[i % 3 for i in range(len(lengths))], class_names=["a", "b", "c"],
        groups={"subject": subjects}, layout="kinect-v1",
    ).save(home / "data.npz")  # fmt: skip
    study = Study.load({
        "name": "edge", "data": {"path": str(home / "data.npz"), "split": {"by": "subject", "train": [1, 2]}},
        "network": {"name": "st-gcn", "options": SMALL if options is None else options, "training": {"epochs": 1}},
        "controls": {"untrained": 1}, "geometry": {"permutations": 5}, "graph": {"part": "all"}, **settings,
    })  # fmt: skip
    (home / "study.yml").write_text(study.to_yaml(), encoding="utf-8")
    return study


def taken(home: Path, *names: str) -> tuple[str, float]:
    """(what was refused, GiB at most) of a process that makes these artefacts."""
    command = [sys.executable, "-P", "-c", STUDY, str(home), *names]
    seen = 0.0  # besides: some sandboxes tell of getrusage's peak only what they sampled
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        stop = time.monotonic() + 1800
        while process.poll() is None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
                seen = max(seen, pages * os.sysconf("SC_PAGE_SIZE") / 2**30)
            if seen > 1.2 * LIMIT or time.monotonic() > stop:
                process.kill()
                pytest.fail(f"{seen:.1f} GiB after {names}")
            time.sleep(0.02)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0, said[-2000:]
    refused, peak = (re.search(f"^{word} (.*)$", said, re.MULTILINE) for word in ("REFUSED", "PEAK"))
    assert peak is not None
    return (refused[1] if refused else ""), max(seen, float(peak[1]))


@pytest.fixture
def no_long_pass(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames of all that passes through a network."""
    passed: list[int] = []
    call = torch.nn.Module.__call__

    def counted(self: torch.nn.Module, *given: Any, **named: Any) -> Any:
        if given and isinstance(given[0], torch.Tensor) and given[0].ndim == 5:
            passed.append(given[0].shape[2])
        return call(self, *given, **named)

    monkeypatch.setattr(torch.nn.Module, "__call__", counted)
    return passed


@pytest.mark.parametrize(("frames", "options"), [(10_000, {}), (10_000, SMALL), (100_000, SMALL)])
def test_a_long_recording_is_refused_before_it_passes(
    tmp_path: Path, frames: int, options: dict[str, Any], no_long_pass: list[int]
) -> None:
    study = write(tmp_path, [20] * 11 + [frames], options=options)
    message = rf"recording '.*' of {frames:,} frames is too long: a .* would take about .* GiB, more than"
    run = StudyRun(study, tmp_path / "report")
    for ask in (run.check, lambda: estimate(study, tmp_path / "other", workers=1)):
        with pytest.raises(StudyError, match=message) as caught:
            ask()
        for mend in ("crop it", "data.frame_step", "data.windows", "data.skip", "compute.memory_limit"):
            assert mend in str(caught.value)
    assert max(no_long_pass) <= longest.PIECE
    made = {path.parent.name for path in (run.output / "artefacts").glob("*/manifest.json")}
    assert not {name for name in made if name.startswith(("training", "activations", "curves"))}


def test_what_fits_by_arithmetic_is_not_refused_and_a_limit_is(tmp_path: Path, no_long_pass: list[int]) -> None:
    study = write(tmp_path, [20] * 11 + [4000])
    StudyRun(study, tmp_path / "report").check()
    limited = study.model_copy(update={"compute": study.compute.model_copy(update={"memory_limit": 0.51})})
    with pytest.raises(StudyError, match=r"0\.5 GiB of compute\.memory_limit"):
        StudyRun(limited, tmp_path / "limited").check()
    assert max(no_long_pass) <= longest.PIECE


def test_sizes_from_a_piece_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = write(tmp_path, [20] * 11 + [1501])
    look = Onlooker(LINE, study, tmp_path / "report")
    pieces = find_facts(look, study).layers
    monkeypatch.setattr("stgcnlib.pipeline.estimate.facts.to_measure", lambda study, data: data)
    assert find_facts(look, study).layers == pieces


def test_bytes_of_a_frame_do_not_depend_on_the_piece(tmp_path: Path) -> None:
    study = write(tmp_path, [800] * 12)
    data = StudyRun(study, tmp_path / "report")["sequences"]
    network = stgcnlib.load_network("st-gcn", layout="kinect-v1", classes=3, width=4, depth=3)
    each = [longest.bytes_per_frame(network, longest.beginnings(data, most), device="cpu") for most in (200, 400, 800)]
    assert each == pytest.approx([each[0]] * 3, rel=0.01)
    assert longest.beginnings(data, 800) is data


@pytest.mark.long
@pytest.mark.parametrize(("frames", "options"), [(10_000, SMALL), (10_000, {}), (100_000, SMALL), (100_000, {})])
def test_long_ones_take_no_more_than_3_gib(
    tmp_path: Path, frames: int, options: dict[str, Any], tally: Callable[..., None]
) -> None:
    write(tmp_path, [20] * 11 + [frames], options=options)
    refused, peak = taken(tmp_path, "activations/trained", "geometry", "statistics", "summary")
    tally("long recordings", tried=1, refused=int(bool(refused)), within=int(peak < LIMIT))
    assert peak < LIMIT, refused
    assert f"of {frames:,} frames" in refused


@pytest.mark.long
@pytest.mark.parametrize("options", [SMALL, {}])
def test_the_longest_that_fits_takes_no_more_than_3_gib(
    tmp_path: Path, options: dict[str, Any], tally: Callable[..., None]
) -> None:
    study = write(tmp_path, [20] * 11 + [100_000], options=options)
    with pytest.raises(StudyError) as caught:
        StudyRun(study, tmp_path / "asked").check()
    said = re.search(r"About ([\d,]+) frames fit", str(caught.value))
    assert said is not None
    write(tmp_path, [20] * 11 + [int(said[1].replace(",", ""))], options=options)
    refused, peak = taken(tmp_path, "activations/trained", "geometry", "statistics", "maps", "summary")
    tally("recordings just short enough", tried=1, refused=int(bool(refused)), within=int(peak < LIMIT))
    assert not refused
    assert peak < LIMIT


@pytest.mark.long
def test_ten_thousand_short_ones_take_no_more_than_3_gib(tmp_path: Path, tally: Callable[..., None]) -> None:
    write(tmp_path, [5] * 10_000)
    refused, peak = taken(tmp_path, "activations/trained", "geometry", "statistics", "summary")
    tally("many recordings", tried=1, refused=int(bool(refused)), within=int(peak < LIMIT))
    assert not refused
    assert peak < LIMIT
