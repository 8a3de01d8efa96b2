"""The errors that stgcnlib raises for bad input.

Each message names the file or object, the field and the mend (what to do about it), and is meant to be read
without a traceback. Programming mistakes raise Python's own exceptions.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "ArtefactError",
    "AxesError",
    "CheckpointError",
    "ClusterError",
    "DamagedError",
    "DeviceError",
    "GraphError",
    "LayerNotFoundError",
    "LayoutError",
    "OutputError",
    "SequenceError",
    "SkeletonFormatError",
    "StageError",
    "StgcnlibError",
    "StudyError",
    "about",
    "check_version",
    "nearest",
    "shorten",
    "suggest",
    "warn",
]


LONGEST, END = 3000, 1000
"""Characters that stay of a message of any length, and how many of them are its end."""


class StgcnlibError(Exception):
    """Base of all errors below: catch it to catch every error about input.

    Of a very long message, which only a value of the input can cause, the middle is left out.

    Args:
        *args: the message.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(_cut(each) if isinstance(each, str) else each for each in args))


def _cut(message: str) -> str:
    left = len(message) - LONGEST
    begin = LONGEST - END
    return message if left <= END else f"{message[:begin]} … ({left} more characters) … {message[-END:]}"


class SkeletonFormatError(StgcnlibError, ValueError):
    """A recording, or a folder of recordings, is not what its format promises."""


class SequenceError(StgcnlibError, ValueError):
    """Arrays given to a SequenceSet, or to a function of sequences, do not fit together."""


class LayoutError(StgcnlibError, ValueError):
    """A skeleton layout is unknown, inconsistent, or has the wrong number of joints."""


class CheckpointError(StgcnlibError, ValueError):
    """A checkpoint cannot be read safely, or belongs to another network."""


class DeviceError(StgcnlibError, ValueError):
    """A device is named that is not there, or its memory is full."""


class LayerNotFoundError(StgcnlibError, LookupError):
    """A layer name matches nothing in the network or store."""


class AxesError(LayerNotFoundError, ValueError):
    """An axis string is invalid, or a layer's output does not agree with it."""


class GraphError(StgcnlibError, ValueError):
    """No DS-Graph can be made of the distances, labels or neighbour counts."""


class StudyError(StgcnlibError, ValueError):
    """A study file has an unknown key or a value out of range."""


class ArtefactError(StgcnlibError, ValueError):
    """A result of a study is declared wrongly, is unknown, or cannot be made or read."""


class DamagedError(ArtefactError):
    """A result on disk is not as it was written.

    Attributes:
        path: of the result.
    """

    path = ""


class ClusterError(StgcnlibError, RuntimeError):
    """A scheduler or its workers cannot be reached, are not of this version, or were lost."""


class StageError(StgcnlibError, RuntimeError):
    """A stage notebook failed; says which cell of which notebook, with which parameters."""


class OutputError(StgcnlibError, OSError):
    """A file or folder cannot be written: no such place, no permission, no room."""


@contextmanager
def about(key: str, *functions: str) -> Iterator[None]:
    """Turn errors about input within the block into a `StudyError` that begins with the key of a study.

    Args:
        key: whose value the block uses.
        functions: names that the messages may begin with; the key takes their place.

    Raises:
        StudyError: names the key, with the words of the error.
    """
    try:
        yield
    except StgcnlibError as error:
        text = str(error)
        for name in functions:
            text = text.removeprefix(f"{name}: ")
        raise StudyError(f"{key}: {text}") from None


def check_version(place: object, version: object, known: int, error: type[StgcnlibError], *, by: object = None) -> None:
    """Refuse a file that a newer stgcnlib wrote.

    Args:
        place: the file or folder, as the message names it.
        version: of its format, as it says itself.
        known: the last version of the format that this library reads.
        error: that is raised.
        by: the version of stgcnlib that wrote it, as it says itself; `None`: it does not say.

    Raises:
        StgcnlibError: it is newer; an `error`.
        ValueError: `version` is no whole number.
    """
    if not isinstance(version, int):
        raise ValueError(f"its version is {str(version)[:60]!r}")
    if version > known:
        raise error(
            f"{place}: was written by a newer stgcnlib{f' ({str(by)[:60]})' if by is not None else ''}, in version "
            f"{version} of its format, and this one reads up to {known}; update stgcnlib, or make it again elsewhere"
        )


def shorten(items: Iterable[object], most: int = 8) -> str:
    """Items as a comma-separated text, long lists cut: ``'a', 'b', … (12 more)``.

    At most `most` of the `items` are shown.
    """
    texts = [repr(item) if isinstance(item, str) else str(item) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f", … ({rest} more)" if rest > 0 else "")


def nearest(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> list[str]:
    """The names that are nearest to one, the nearest first.

    Args:
        name: as it was given.
        known: all names.
        most: names that are returned at most.
        cutoff: how alike they have to be, from 0 to 1, as `difflib.SequenceMatcher.ratio` has it.
    """
    return difflib.get_close_matches(name, list(dict.fromkeys(known)), n=most, cutoff=cutoff)


def suggest(name: str, known: Iterable[str]) -> str:
    """A half-sentence with the names of `known` that are nearest to `name`, for the end of an error."""
    names = list(dict.fromkeys(known))
    if near := nearest(name, names):
        return "did you mean " + " or ".join(map(repr, near)) + "?"
    return f"known names: {shorten(names, 16)}"


def warn(message: str) -> None:
    """A `UserWarning` that names the line outside of stgcnlib whose call led here.

    `message` is the sentence that users read.
    """
    depth, frame = 2, sys._getframe(1)  # 1 is this function
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "stgcnlib":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, stacklevel=depth)
