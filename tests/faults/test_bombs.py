"""Small files that stand for much: each reader refuses them, or reads them, in little time and memory."""

from __future__ import annotations

import io
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import Watch

from stgcnlib.readers import read

sys.path.append(str(Path(__file__).resolve().parents[1] / "readers"))
from format_writers import WRITERS

Writer = Callable[[Path], Path]
QUICK = ("write_stgcn", "write_npz", "write_kinetics", "write_wide_csv", "write_pyskl", "write_utd")
"""One of each kind of file; all others take long."""
CASES = [
    pytest.param(name, writer, id=writer.__name__, marks=() if writer.__name__ in QUICK else pytest.mark.long)
    for name, writers in WRITERS.items()
    for writer in writers
]
GIANT = 10**10


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def archives(file: Path) -> Iterator[bytes]:
    """An npz with one member after the other replaced by a header of 40 GB."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for victim in members:
        for kind in ("<f4", "|O", "<U1000000000"):
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as archive:
                for name, content in members.items():
                    archive.writestr(name, header((GIANT, 25, 3), kind) + bytes(64) if name == victim else content)
            yield stream.getvalue()


def bombs(file: Path) -> Iterator[bytes]:
    """Bombs of the kind of a whole file."""
    whole = file.read_bytes()
    match file.suffix.lower():
        case ".npy":
            for shape in ((GIANT,), (10**5, 3, 300, 25, 2), (10**7, 30, 3), (0,) * 32, (GIANT, 0), (2**62, 2**62)):
                yield header(shape) + bytes(1000)
            yield header((3, 3), "|O") + whole[:100]
            yield whole[:8] + b"\xff\xff" + b"(" * 65_535
        case ".npz":
            yield from archives(file)
        case ".json":
            yield b"[" * 100_000 + b"]" * 100_000
            yield b'{"a":' * 100_000 + b"1" + b"}" * 100_000
            yield b"[" + b"[]," * 3_000_000 + b"1]"
            yield b"[" + b"{}," * 5_000_000 + b"1]"
            yield whole.replace(b"0.", b"[" * 900 + b"0.", 1)
            yield b'{"data": "' + b"a" * 10**7 + b'"}'
        case ".csv" | ".txt" | ".skeleton" | ".bvh":
            yield b",".join(b"1" for _ in range(10**6))
            yield b",".join(b"c%d" % i for i in range(10**6)) + b"\n" + b",".join(b"1" for _ in range(10**6))
            yield whole + b" 1" * 10**6
            yield b"1\n" * 10**6
            yield whole.splitlines()[0] + b"\n" + b'"' + b"a\n" * 10**6
            yield b"9" * 10**6
            joint = b"JOINT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\n"
            yield b"HIERARCHY\n" + joint.replace(b"JOINT", b"ROOT") + joint * 20_000
        case ".pkl" | ".pickle":
            yield from (
                b"\x80\x04\x8e" + (2**40).to_bytes(8, "little"), b"\x80\x04\x8b" + (2**31 - 1).to_bytes(4, "little"),
                b"\x80\x04" + b"]" + b"2\x86" * 10_000 + b".", b"\x80\x04" + b"]" * 100_000 + b".",
                b"\x80\x04" + b"(" * 10**6 + b".", b"\x80\x04I" + b"9" * 10**6 + b"\n.",
                b"\x80\x04" + b"]" + b"]\x94a" * 10**5 + b".", b"\x80\x04K\x01" + b"\x85" * 10**5 + b".",
            )  # fmt: skip
        case ".mat":
            for place in range(128, min(len(whole), 400), 8):
                yield whole[:place] + b"\xff\xff\xff\x7f" + whole[place + 4 :]


@pytest.mark.parametrize(("format", "writer"), CASES)
def test_bombs(format: str, writer: Writer, tmp_path: Path, tally: Callable[..., None]) -> None:
    file, watch = writer(tmp_path), Watch()
    several = {each: each.read_bytes() for each in sorted(tmp_path.rglob("*")) if each.is_file()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for victim, whole in several.items():
            for i, content in enumerate(list(bombs(victim))):
                victim.write_bytes(content)
                watch.tried(f"{victim.name} {i}", lambda: read(file, format=format))
            victim.write_bytes(whole)
    tally("bombs", **watch.counts())
    watch.check()


@pytest.mark.long
@pytest.mark.parametrize("format", ["npz", "ctr-gcn"])
def test_archives_of_three_gigabytes(format: str, tmp_path: Path, tally: Callable[..., None]) -> None:
    (writer,) = WRITERS[format]
    file, watch = writer(tmp_path), Watch()
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for victim in members:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in members.items():
                if name != victim:
                    archive.writestr(name, content)
                    continue
                with archive.open(name, "w", force_zip64=True) as stream:
                    stream.write(header((3 * 2**30 // 300, 25, 3)))
                    for _ in range(3 * 2**5):
                        stream.write(bytes(2**25))
        watch.tried(victim, lambda: read(file, format=format))
    tally("bombs", **watch.counts())
    watch.check()
