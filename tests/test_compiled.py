"""Kernels compiled ahead: a study finds all of them ready."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from stgcnlib.cli import app

# In a process of its own: other tests have called more kernels than a study does.
SCRIPT = """
import importlib, pkgutil
import numpy as np
from numba.core.registry import CPUDispatcher
import stgcnlib.dsgraph, stgcnlib.dtw
from stgcnlib.dsgraph.compiled import compile_kernels

modules = [importlib.import_module(f"{room.__name__}.{found.name}") for room in (stgcnlib.dtw, stgcnlib.dsgraph)
           for found in pkgutil.iter_modules(room.__path__)]
kernels = {f"{m.__name__}.{name}": each for m in modules for name, each in vars(m).items()
           if isinstance(each, CPUDispatcher)}
known = lambda: {(name, str(s)) for name, each in kernels.items() for s in each.signatures}
compile_kernels()
ready = known()
assert len(ready) >= 6, ready
rng = np.random.default_rng(1)
for width in (30, 75, 320, 1600):  # a map, an input, layers
    frames = [rng.normal(size=(int(t), width)).astype(np.float32) for t in rng.integers(5, 40, 15)]
    distances = stgcnlib.dtw.dtw_distances(frames)
    stgcnlib.dtw.dtw_path(frames[0], frames[1])
    stgcnlib.dsgraph.nnk_graph(distances, k=6)
    stgcnlib.dsgraph.nnk_graph(distances, k=4, exclude=np.arange(15) % 3)
maps = [rng.random((int(t), 25)) for t in rng.integers(5, 40, 15)]
stgcnlib.dsgraph.ds_graph(maps, k=4, exclude=np.arange(15) % 3)
print(sorted(known() - ready))
"""


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_nothing_is_left_to_compile() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_the_command_says_what_it_does() -> None:
    result = CliRunner().invoke(app, ["compile"])
    assert result.exit_code == 0
    assert "kernels are compiled for this processor" in result.output
