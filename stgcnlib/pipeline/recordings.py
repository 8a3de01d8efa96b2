"""The recordings that a study's section `data` describes: read, prepared, and what tells them from others.

Splitting them into parts, and keeping them, is the business of `run`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stgcnlib.files import fingerprint
from stgcnlib.pipeline.study import Data
from stgcnlib.sequences import SequenceSet

__all__ = ["read_recordings", "recordings_key"]


def read_recordings(chosen: Data, *, seed: int) -> SequenceSet:
    """All parts together, prepared as the section says; `seed` makes the embedded demo."""
    from stgcnlib import transforms

    if chosen.path == "demo":
        from stgcnlib.demo import demo_sequences

        data = demo_sequences(seed=seed, **chosen.demo.model_dump())
    else:
        from stgcnlib.readers import read

        data = read(chosen.path, format=chosen.format, skip=chosen.skip)
    data = transforms.subsample(data, chosen.frame_step)
    if chosen.published:
        return transforms.published(data, *chosen.published)
    if not chosen.normalize:
        return data
    # A graph that is no body has nothing to centre or turn.
    return transforms.normalize(data, per=chosen.centre) if data.layout.dimensions else transforms.standardize(data)


def recordings_key(chosen: Data, *, seed: int) -> list[Any]:
    """Plain values that decide the recordings: the section but its split, and names, sizes and times of all files."""
    files: list[Any] = []
    if chosen.path != "demo":
        root = Path(chosen.path)
        paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
        paths += [] if chosen.skip is None else [Path(chosen.skip)]
        files = [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in paths if p.exists()]
    return [
        chosen.model_dump(mode="json", exclude={"split"}), fingerprint(files), seed if chosen.path == "demo" else None,
    ]  # fmt: skip
