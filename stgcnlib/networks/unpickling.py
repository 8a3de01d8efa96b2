"""Reading files of ``torch.save`` without running code from them, and errors for files that cannot be read so.

Values of numpy beside the weights (a best accuracy, a generator's state) are read as `Inert` objects that hold nothing:
no numpy code takes bytes from the file.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from stgcnlib.errors import CheckpointError

__all__ = ["WRAPPERS", "Inert", "read_pickled", "unreadable"]

WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")
"""Names under which training code keeps a state dict; the first one that is there is used."""

_MOST_PICKLED = 64 * 2**20  # bytes of a pickle that are searched for names; weights are stored elsewhere


class Inert:
    """Replaces a numpy value in a file of ``torch.save``; it accepts any arguments and keeps none."""

    def __init__(self, *given: object) -> None:
        """Ignore the arguments that numpy would have got."""

    def __setstate__(self, state: object) -> None:
        """Ignore the state that numpy would have got."""


_SCALARS = (
    "bool_", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "str_", "bytes_",
)  # fmt: skip
_INERT: tuple[str, ...] = (
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{name}" for name in _SCALARS),
    *(f"numpy.dtypes.{name}DType" for name in ("Bool", "Float32", "Float64", "Int32", "Int64", "Str")),
    "_codecs.encode",  # how old pickles write bytes
)


def read_pickled(file: Path) -> Any:
    """The content of a file of ``torch.save``: tensors and plain values.

    Raises:
        CheckpointError: if the file is damaged, or would need code to run; says which, and how to convert it.
    """
    stand_ins: list[Any] = [(Inert, name) for name in _INERT]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
            warnings.simplefilter("ignore")  # warnings about pickle protocols
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickled(file):
            raise CheckpointError(
                f"{file}: is no file of torch.save; get the checkpoint anew from its source"
            ) from None
        raise CheckpointError(
            f"{file}: refused, since it is damaged or needs Python code besides tensors ({_first_line(error)}). "
            "If you trust it, convert it once with these two lines:\n"
            f"    content = torch.load({file.name!r}, weights_only=False)  # runs whatever code the file holds\n"
            f"    {_conversion(_wrapper(file))}"
        ) from None
    except Exception as error:  # for damaged bytes the unpickler raises errors of nearly any kind
        raise unreadable(file, error) from None


def unreadable(file: Path, error: Exception) -> CheckpointError:
    """The error to raise for damaged bytes."""
    return CheckpointError(f"{file}: not a readable checkpoint ({_first_line(error)}); copy or save it again")


def _is_pickled(file: Path) -> bool:
    """Whether the first bytes are those of a zip or of a pickle of protocol 2 or later, which torch.save writes."""
    with file.open("rb") as stream:
        head = stream.read(2)
    return head == b"PK" or (head[:1] == b"\x80" and head[1:] in {bytes([protocol]) for protocol in range(2, 6)})


def _conversion(wrapper: str | None) -> str:
    if wrapper is None:
        return "torch.save(content.state_dict(), 'weights.pt')  # or content itself, if it is a state dict"
    return f"torch.save(content[{wrapper!r}], 'weights.pt')  # or content.state_dict(), if it is a whole network"


def _wrapper(file: Path) -> str | None:
    """The name under which a file keeps its state dict, as far as its pickle tells without being run."""
    names = set(_strings(file, WRAPPERS))
    return next((name for name in WRAPPERS if name in names), None)


def _strings(file: Path, wanted: Sequence[str]) -> Iterator[str]:
    """Those of the wanted strings that a pickle writes."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                inside = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
                with archive.open(inside) as stream:
                    content = stream.read(_MOST_PICKLED)
        else:
            with file.open("rb") as stream:
                content = stream.read(_MOST_PICKLED)
        # Old files have several pickles, one after the other.
        while content:
            last = 0
            for _, argument, place in pickletools.genops(content):
                if isinstance(argument, str) and argument in wanted:
                    yield argument
                last = place or 0
            content = content[last + 1 :]
    except Exception:  # no more names can be read from a damaged pickle
        return


def _first_line(error: Exception) -> str:
    """The code that a file asks for, else what torch says first."""
    text = str(error).strip()
    if wanted := re.search(r"GLOBAL (\S+)", text):
        return f"it asks for {wanted[1]}"
    if plain := re.search(r"Unsupported operand \d+", text):
        return plain[0][:1].lower() + plain[0][1:]
    lines = text.splitlines()
    return lines[0][:160] if lines else type(error).__name__
