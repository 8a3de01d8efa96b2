"""Studies damaged at random and compared with a whole one: compared, or refused by one error of ours."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import Watch, damaged
from small_study import small_study
from test_damage import inside, results
from test_fuzz_results import FORMS

from stgcnlib.artefacts import Sums
from stgcnlib.report.compare import fused_scores, write_comparison
from stgcnlib.verdicts import compare_studies

READ = ("geometry", "summary", "layers", "evaluations", "sequences", "prepared", "recordings", "findings", "maps")
"""How names of results begin that a comparison may read."""


def compared(folders: list[Path], output: Path) -> None:
    """All that a comparison takes from studies, without its notebook."""
    comparison = compare_studies(folders)
    fused_scores(folders, comparison.names)
    write_comparison(comparison, output, name="both")


@pytest.mark.parametrize("count", [8, pytest.param(300, marks=pytest.mark.long)])
@pytest.mark.parametrize("believed", [True, False], ids=["with right sums", "with old sums"])
def test_damaged_studies_compared(
    count: int,
    believed: bool,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tally: Callable[..., None],
) -> None:
    whole, output = small_study(tmp_path_factory), tmp_path / "comparison"
    victim = Path(shutil.copytree(whole, tmp_path / "study"))
    compared([whole, victim], output)
    if believed:  # whoever changed a file wrote its sum, too
        for check in ("check", "check_names"):
            monkeypatch.setattr(Sums, check, lambda self: None)
        monkeypatch.setattr(Sums, "check_content", lambda self, name, content: None)
    paths = [path for path in results(victim / "artefacts") if path.name.startswith(READ)]
    files = [file for path in paths for file in inside(path)]
    files += [file for file in victim.iterdir() if file.is_file()]
    rng, bytes_of, watch = random.Random(count), np.random.default_rng(count), Watch()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for i in range(count):
            file = rng.choice(files)
            kept = file.read_bytes()
            if file.suffix in FORMS and rng.random() < 0.6:
                FORMS[file.suffix](file, rng)
            else:
                file.write_bytes(damaged(kept, bytes_of))
            watch.tried(f"{file.relative_to(victim)} {i}", lambda: compared([whole, victim], output))
            file.write_bytes(kept)
    tally("damaged studies compared", **watch.counts())
    watch.check()
    assert watch.refused > 0
    compared([whole, victim], output)
