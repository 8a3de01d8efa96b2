"""What the readers share: bounded reading of text and JSON, and recordings gathered into a SequenceSet.

Nothing here knows a format. Sizes are checked before a file is read, and arrays are made from what was found in a
file, never from what it declares.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError, SkeletonFormatError, shorten
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["MOST_BYTES", "Recording", "gather", "head", "number", "read_bytes", "read_json", "read_text", "row"]

MOST_BYTES = 2**26  # a larger text is no single recording
HEAD_BYTES = 2**14


@dataclass
class Recording:
    """One recording on its way into a SequenceSet.

    Attributes:
        name: what it is called in messages and in the set.
        coords: (T, V, C) or (M, T, V, C), or `None` where nobody was tracked.
        label: class index, or the class's name, or `None` where the file says nothing.
        groups: name -> value.
    """

    name: str
    coords: NDArray[np.floating[Any]] | None
    label: int | str | None = None
    groups: dict[str, int | str] = field(default_factory=dict)


def read_bytes(file: Path, *, most: int = MOST_BYTES) -> bytes:
    """A file's bytes.

    Raises:
        SkeletonFormatError: if it cannot be read, or is larger than `most` bytes.
    """
    try:
        if (size := file.stat().st_size) > most:
            raise SkeletonFormatError(f"{file}: {size} bytes is too large for one recording; is it the right file?")
        return file.read_bytes()
    except OSError as error:
        raise SkeletonFormatError(f"{file}: cannot be read ({error.strerror or error})") from None


def read_text(file: Path, *, most: int = MOST_BYTES) -> str:
    """A file's UTF-8 text, without a byte-order mark.

    Raises:
        SkeletonFormatError: if it cannot be read, is too large, or is not text.
    """
    try:
        text = read_bytes(file, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SkeletonFormatError(f"{file}: not a text file (byte {error.start} is no UTF-8); copy it again") from None
    if "\0" in text:
        raise SkeletonFormatError(f"{file}: not a text file (it holds zero bytes); copy it again")
    return text


def read_json(file: Path, *, most: int = MOST_BYTES) -> Any:
    """A file's JSON value.

    Raises:
        SkeletonFormatError: if it cannot be read, is too large, truncated or not JSON.
    """
    content = read_bytes(file, most=most)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SkeletonFormatError(f"{file}: truncated or not JSON ({error}); copy it again") from None


def head(file: Path) -> str:
    """The first 16 kB as text, for telling formats apart; empty where a file cannot be read or is binary."""
    try:
        with file.open("rb") as stream:
            content = stream.read(HEAD_BYTES)
    except OSError:
        return ""
    if b"\0" in content:
        return ""
    return content.decode("utf-8", errors="replace").removeprefix("\ufeff")


def number(value: str, file: Path, where: str) -> int:
    """A count or an index from text.

    Raises:
        SkeletonFormatError: if it is no whole number of at most 18 digits, or negative.
    """
    text = value.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise SkeletonFormatError(f"{file}: {where} is {_cut(text)}; expected a whole number; copy the file again")
    return int(text)


def row(line: str, file: Path, where: str, *, least: int) -> list[float]:
    """The numbers of one line of text, separated by blanks.

    Raises:
        SkeletonFormatError: if there are fewer than `least`, or one is no number.
    """
    fields = line.split()
    if len(fields) < least:
        raise SkeletonFormatError(f"{file}: {where} has {len(fields)} numbers, expected {least}; copy the file again")
    try:
        return [float(value) for value in fields]
    except ValueError:
        raise SkeletonFormatError(f"{file}: {where} holds other than numbers ({_cut(line)}); mend it") from None


def gather(
    recordings: Sequence[Recording],
    *,
    layout: SkeletonLayout | str,
    source: Path,
    class_names: Sequence[str] | None = None,
) -> SequenceSet:
    """Recordings as one SequenceSet; those in which nobody was tracked are left out with a warning.

    Args:
        recordings: in the order of the set; all with the same groups.
        layout: of the skeletons.
        source: the file or folder, for messages.
        class_names: what class indices mean; `None` names the classes by the labels, sorted, if those are text.

    Raises:
        SkeletonFormatError: if nothing is left, only some are labelled, or an array does not fit.
    """
    kept = [r for r in recordings if r.coords is not None and r.coords.size and r.coords.any()]
    if empty := [r.name for r in recordings if not any(r is k for k in kept)]:
        if not kept:
            raise SkeletonFormatError(f"{source}: nobody was tracked in {shorten(empty)}; there is nothing to read")
        warnings.warn(
            f"{source}: {len(empty)} of {len(recordings)} recordings left out, nobody was tracked: {shorten(empty)}",
            stacklevel=2,
        )
    if not kept:
        raise SkeletonFormatError(f"{source}: holds no recording")
    labels: list[int] | None = None
    if any(r.label is not None for r in kept):
        if without := [r.name for r in kept if r.label is None]:
            raise SkeletonFormatError(
                f"{source}: {shorten(without)} have no label but others have; complete the labels"
            )
        if class_names is None and any(isinstance(r.label, str) for r in kept):
            class_names = sorted({str(r.label) for r in kept})
            labels = [class_names.index(str(r.label)) for r in kept]
        else:
            labels = [int(r.label) for r in kept if r.label is not None]
    keys = list(kept[0].groups)
    try:
        return SequenceSet(
            [r.coords for r in kept if r.coords is not None],
            labels=labels,
            class_names=class_names,
            groups={key: [r.groups[key] for r in kept] for key in keys},
            layout=layout,
            names=[r.name for r in kept],
        )
    except SequenceError as error:
        raise SkeletonFormatError(f"{source}: {error}") from None


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
