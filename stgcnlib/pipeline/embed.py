"""A study's features for other tools: one parquet file of pooled features, a row per recording and layer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stgcnlib.errors import StudyError, suggest
from stgcnlib.files import atomic_path, missing_folders, probe_output
from stgcnlib.pipeline.finished import read_study
from stgcnlib.pipeline.refused import file_named, nothing_left
from stgcnlib.pipeline.run import StudyRun, open_study
from stgcnlib.sequences import SequenceSet
from stgcnlib.version import __version__

if TYPE_CHECKING:
    from stgcnlib.activations.pooled import PooledLayer

__all__ = ["Part", "embed_study", "write_features"]

Part: TypeAlias = Literal["nodes", "train", "test", "all"]


def embed_study(study: str | os.PathLike[str], output: str | os.PathLike[str], *, part: Part = "nodes") -> Path:
    """Write the pooled features of a study's recordings at every layer, see `write_features`.

    Args:
        study: the folder of a finished study, in which nothing changes; or a study file or the name of a bundled one,
            whose folder ``reports/NAME`` gets what is missing there, such as the trained network.
        output: the parquet file; one that is there is replaced.
        part: "nodes", the recordings whose features the study keeps; "train", "test" or "all", recordings that pass
            through the study's (first) trained network now.

    Returns:
        The path of the file.

    Raises:
        StudyError: there is no such study or part; a folder ``reports/NAME`` that was not there is not there.
        OutputError: the output is a folder, or cannot be written.
        ArtefactError: the folder of a finished study lacks what is needed.
    """
    if part not in get_args(Part):
        raise StudyError(f"part {part!r} is unknown; {suggest(part, get_args(Part))}")
    target = Path(output)
    probe_output(target, file=True, option="--output")
    run: StudyRun = read_study(study) if Path(study).is_dir() else open_study(study)
    with file_named(study):
        with nothing_left(run, missing_folders(run.output)):
            data = _recordings(run, part)
        _write_part(run, data, target, part)
    return target


def _recordings(run: StudyRun, part: Part) -> SequenceSet:
    """One part of a study's recordings."""
    data = run[{"nodes": "nodes", "all": "sequences"}.get(part, "parts")]
    found: SequenceSet | None = data[part == "test"] if part in ("train", "test") else data
    if found is None:
        raise StudyError("part 'train': the study names no training part (data.split); choose 'test' or 'all'")
    return found


def _write_part(run: StudyRun, data: SequenceSet, target: Path, part: Part) -> None:
    """Write the features of one part of a study's recordings."""
    from stgcnlib.activations.pooled import pool_recordings, pool_store

    layers: Iterable[PooledLayer]
    if part == "nodes":
        layers = pool_store(run["activations/trained"])
    else:
        layers = pool_recordings(
            run["network/trained"], data, layers=run.study.layers, axes=run.study.network.axes,
            device=run.study.compute.device,
        )  # fmt: skip
    about = {"study": run.study.name, "part": part, "settings": run.study.fingerprint()}
    write_features(target, data, layers, about=about)


def write_features(
    path: str | os.PathLike[str],
    data: SequenceSet,
    layers: Iterable[PooledLayer],
    *,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write pooled features as one parquet file, atomically: a row per layer and recording, a row group per layer.

    Columns: ``recording`` (its number in the set), ``name``, ``label`` and ``class_name`` (where there are classes),
    ``target NAME`` and ``group NAME`` (one for each), ``layer`` (module name), ``title``, ``depth`` (0 is the input),
    ``frames`` (of the layer, over which features are averaged) and ``features`` (a list of C float32, averaged over
    frames and joints). ``np.stack(table.loc[table.layer == "l4", "features"])`` is (N, C).

    Args:
        path: the file.
        data: N recordings.
        layers: of `stgcnlib.activations.pooled`, of the same recordings in the same order.
        about: further facts for the file's metadata, stored there as JSON under ``stgcnlib``.

    Raises:
        StudyError: a layer has another number of recordings, or there is no layer.
    """
    known: dict[str, Any] = {"recording": pa.array(range(len(data))), "name": pa.array(list(data.names))}
    if data.class_names:
        known |= {"label": pa.array(data.labels), "class_name": pa.array([data.class_names[c] for c in data.labels])}
    if data.targets is not None:
        known |= {f"target {name}": pa.array(data.targets[:, k]) for k, name in enumerate(data.target_names)}
    known |= {f"group {name}": pa.array(values.tolist()) for name, values in data.groups.items()}
    facts = json.dumps({"version": __version__, **(about or {})}).encode()
    writer: pq.ParquetWriter | None = None
    with atomic_path(path) as temporary:
        try:
            for layer in layers:
                table = _table(known, layer, len(data))
                if writer is None:
                    writer = pq.ParquetWriter(temporary, table.schema.with_metadata({"stgcnlib": facts}))
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise StudyError(f"{path}: there is no layer to write")


def _table(known: Mapping[str, Any], layer: PooledLayer, count: int) -> Any:
    if len(layer.features) != count:
        raise StudyError(
            f"layer {layer.name!r} has features of {len(layer.features)} recordings, the set has {count}; "
            "pool the layers of these recordings"
        )
    width = layer.features.shape[1]
    ends = pa.array(np.arange(0, width * count + 1, width, dtype=np.int32))
    return pa.table(
        {
            **known,
            "layer": pa.array([layer.name] * count),
            "title": pa.array([layer.title] * count),
            "depth": pa.array([layer.index] * count),
            "frames": pa.array(layer.frames),
            "features": pa.ListArray.from_arrays(ends, pa.array(layer.features.ravel())),
        }
    )
