"""Runs the numerical tests as other processors would: `python tests/portable.py [NAME | all | --rotate]`.

Libraries choose their code by the processor, and codes of another vector width round differently. Their own switches
make them take the code of an older processor; each machine below is one set of switches and a number of threads.
Before its tests run, a probe in that environment must show that every switch took effect. What has no effect on this
processor is said and not counted: MKL's switch for AVX2 is for Intel's processors only, and nothing but the number of
threads applies where the processor is not x86.

The variables: ATEN_CPU_CAPABILITY (PyTorch's own kernels), ONEDNN_MAX_CPU_ISA (convolutions), MKL_ENABLE_INSTRUCTIONS
(matrix products, Intel only), MKL_CBWR=COMPATIBLE (the same at SSE2, on any x86), OPENBLAS_CORETYPE (NumPy's and
SciPy's products), NPY_DISABLE_CPU_FEATURES (NumPy's loops) and NUMBA_CPU_NAME with NUMBA_CPU_FEATURES (our kernels).
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent

# The tests whose outcome could depend on rounding.
NUMERICAL = (
    "tests/golden",
    "tests/networks",
    "tests/transforms",
    "tests/dtw",
    "tests/geometry",
    "tests/explain",
    "tests/studies",
    "tests/tables",
    "tests/verdicts",
    "tests/test_activations.py",
    "tests/test_axes.py",
    "tests/test_demo.py",
    "tests/test_ds_graph_lazy.py",
    "tests/test_dsgraph.py",
    "tests/test_graph_layout.py",
    "tests/test_groups.py",
    "tests/test_nnk.py",
    "tests/test_training.py",
)

# Slow ones among them that measure memory or processes and compute nothing of their own.
LEFT_OUT = (
    "tests/dtw/test_corridor.py::test_bounds_of_long_sequences_take_little_memory",
    "tests/studies/test_kept_results.py",
)

# Switches that a run must not inherit from the shell that starts it.
SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
    "NUMBA_DISABLE_JIT",
)


@dataclass(frozen=True)
class Machine:
    """An emulated machine: what is set, and what a probe must then find.

    Attributes:
        settings: environment variables.
        threads: threads of each process.
        needs: a processor feature by NumPy's name, without which the machine does not apply; "" for none.
        shows: what the probe must report, by its key; a value is compared, a tuple lists features that must be off.
        intel: settings and findings that hold on Intel's processors only.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    needs: str = ""
    shows: Mapping[str, Any] = field(default_factory=dict)
    intel: Mapping[str, str] = field(default_factory=dict)


def _avx2(threads: int) -> Machine:
    return Machine(
        settings={
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
            "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
            "NUMBA_CPU_NAME": "haswell",
            "NUMBA_CPU_FEATURES": "",
        },
        threads=threads,
        needs="AVX2",
        shows={"torch": "AVX2", "onednn": "Intel AVX2", "openblas": "Haswell", "numpy": "X86_V3", "numba": "haswell"},
        intel={"mkl": "AVX2"},
    )


def _sse(threads: int) -> Machine:
    return Machine(
        settings={
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_CBWR": "COMPATIBLE",
            "OPENBLAS_CORETYPE": "Nehalem",
            "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
        },
        threads=threads,
        needs="SSE42",
        shows={
            "torch": "DEFAULT", "onednn": "Intel SSE4.1", "mkl": "COMPATIBLE", "openblas": "Nehalem",
            "numpy": "X86_V2", "numba": "generic",
        },
    )  # fmt: skip


MACHINES: dict[str, Machine] = {
    "native-2-threads": Machine(threads=2),  # with one thread it is `make test`
    "avx2-1-thread": _avx2(1),
    "avx2-2-threads": _avx2(2),
    "sse-1-thread": _sse(1),
    "sse-2-threads": _sse(2),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments name and print a line for each machine; 1 if any test or emulation failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", nargs="?", default="all", choices=["all", *MACHINES])
    parser.add_argument("--rotate", action="store_true", help="one machine, another one each week of the year")
    parser.add_argument("--workers", type=int, default=2, help="test processes (2)")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args(arguments)
    if options.probe:
        print(json.dumps(probe()))
        return 0
    names = list(MACHINES) if options.machine == "all" else [options.machine]
    if options.rotate:
        names = [of_week(datetime.date.today().isocalendar().week)]
    good, lines = True, []
    for name in names:
        fine, line = run(name, MACHINES[name], options.workers, rest)
        good &= fine
        lines.append(f"{name:18} {line}")
        print(lines[-1], flush=True)
    if len(lines) > 1:
        print("\n".join(["", *lines]))
    return 0 if good else 1


def of_week(week: int) -> str:
    """The machine whose turn it is in an ISO week."""
    return list(MACHINES)[week % len(MACHINES)]


def run(name: str, machine: Machine, workers: int, extra: Sequence[str] = ()) -> tuple[bool, str]:
    """The numerical tests on one machine: whether they passed, and what to print.

    Args:
        workers: test processes. As many where each has two threads: few tests are long enough to use both.
        extra: further arguments for pytest; those that name tests replace the numerical ones.
    """
    unfit = does_not_apply(machine)
    if unfit:
        return True, f"does not apply: {unfit}"
    environment = environment_of(name, machine)
    wrong, said = check(machine, environment)
    print(f"{name}: {said}", flush=True)
    if wrong:
        return False, "the emulation took no effect: " + "; ".join(wrong)
    left_out = [f"--deselect={test}" for test in LEFT_OUT]
    tests = [] if any(not argument.startswith("-") for argument in extra) else [*left_out, *NUMERICAL]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junit-xml={report}", *extra, *tests]
        start = time.monotonic()
        # A file stays in one process, so that what its tests share is made once.
        spread = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"] if workers > 1 else []
        code = subprocess.run([*command, *spread], cwd=REPOSITORY, env=environment, check=False).returncode
        seconds = time.monotonic() - start
        if not report.is_file():
            return False, f"pytest ended with {code} and no report"
        counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            counts = {key: counts[key] + int(suite.get(key, 0)) for key in counts}
    failed = counts["failures"] + counts["errors"]
    passed = counts["tests"] - failed - counts["skipped"]
    return code == 0, f"{passed} passed, {failed} failed, {counts['skipped']} skipped, {seconds:.0f} s"


def does_not_apply(machine: Machine) -> str:
    """Why this processor cannot be made to look like that machine; "" if it can."""
    if machine.threads > (os.cpu_count() or 1):
        return f"it has {machine.threads} threads, and this processor has 1 core"
    if machine.settings and platform.machine().lower() not in {"x86_64", "amd64"}:
        return f"its switches are for x86, and this processor is {platform.machine()}"
    if machine.needs:
        from numpy._core._multiarray_umath import __cpu_features__

        if not __cpu_features__.get(machine.needs):
            return f"this processor has no {machine.needs}"
    return ""


def environment_of(name: str, machine: Machine) -> dict[str, str]:
    """This process's environment with the machine's settings, its threads, and its own compiled kernels."""
    inherited = {key: value for key, value in os.environ.items() if key not in SWITCHES}
    threads = str(machine.threads)
    return {
        **inherited,
        **machine.settings,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        # Threads that spin while they wait take the cores that they wait for: 10 times as long on a busy machine.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Compiled kernels are kept by processor and source; a folder for each machine leaves nothing to chance.
        "NUMBA_CACHE_DIR": str(REPOSITORY / ".pytest_cache" / "numba" / name),
        "STGCNLIB_PROGRESS": "0",
    }


def check(machine: Machine, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """What of a machine's settings took no effect, and what the probe found, as text."""
    verbose = {**environment, "MKL_VERBOSE": "1", "ONEDNN_VERBOSE": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--probe"], cwd=REPOSITORY, env=verbose, check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    # These two libraries tell what they do by printing it.
    isa = re.search(r"^onednn_verbose,.*cpu,isa:(.*)$", done.stdout, re.MULTILINE)
    cnr = re.search(r"^MKL_VERBOSE \w?GEMM.* CNR:(\w+)", done.stdout, re.MULTILINE)
    banner = re.search(r"^MKL_VERBOSE (?:oneMKL|Intel).*$", done.stdout, re.MULTILINE)
    found["onednn"] = isa[1] if isa else ""
    found["mkl"] = cnr[1] if cnr else ""
    expected = dict(machine.shows)
    notes = ""
    if machine.intel and found["vendor"] == "GenuineIntel":
        expected["mkl"] = machine.intel["mkl"]
        found["mkl"] = banner[0] if banner else ""
    elif machine.intel:
        notes = "; MKL is not limited, its switch is for Intel's processors only"
    wrong = [
        f"{key} shows {found[key]!r}, expected {value!r}"
        for key, value in expected.items()
        if not (value in found[key] if key == "mkl" else found[key] == value)
    ]
    wrong += [
        f"{key} uses {found['threads'][key]} threads, expected {machine.threads}"
        for key in found["threads"]
        if found["threads"][key] != machine.threads
    ]
    keys = ("torch", "onednn", "mkl", "openblas", "numpy", "numba")
    return wrong, ", ".join(f"{key} {found[key]}" for key in keys) + f", threads {found['threads']}{notes}"


def probe() -> dict[str, Any]:
    """What the libraries say they do in this process; a product and a convolution make the silent ones speak."""
    import numba
    import numpy as np
    import scipy.linalg  # noqa: F401  # loads SciPy's own OpenBLAS
    import torch
    from numba.core.registry import cpu_target
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    from threadpoolctl import threadpool_info

    x = torch.ones(200, 200)
    torch.nn.functional.conv2d((x @ x).view(1, 1, 200, 200), torch.ones(4, 1, 9, 1))
    np.ones((100, 100)) @ np.ones((100, 100))
    blas = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    levels = [name for name in ("X86_V2", *__cpu_dispatch__) if __cpu_features__.get(name)]
    return {
        "vendor": _vendor(),
        "torch": torch.backends.cpu.get_cpu_capability(),
        "openblas": "+".join(sorted({pool["architecture"] for pool in blas})),
        "numpy": levels[-1] if levels else "baseline",
        "numba": cpu_target.target_context.codegen().magic_tuple()[1],
        "threads": {
            "torch": torch.get_num_threads(),
            "numba": numba.get_num_threads(),
            **{f"openblas {k}": pool["num_threads"] for k, pool in enumerate(blas)},
        },
    }


def _vendor() -> str:
    file = Path("/proc/cpuinfo")
    found = re.search(r"^vendor_id\s*:\s*(\S+)", file.read_text(), re.MULTILINE) if file.is_file() else None
    return found[1] if found else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
