"""Reading data out of a pickle without running it.

A pickle is a program for a stack machine that may call anything. The machine here knows numbers, text, bytes, lists,
tuples, dicts and numpy arrays of numbers; it never looks up a class or a function, so whatever else a pickle asks for
is refused. It is no general unpickler: sets, objects and subclasses are refused.
"""

from __future__ import annotations

import math
import pickletools
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError

__all__ = ["MOST_BYTES", "PickledArray", "read_data", "read_pickle"]

MOST_BYTES = 2**33
_CONSTANTS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_EMPTY: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
# What a pickle may name, and what that means to this machine. numpy 2 moved `core` to `_core`.
_NAMES = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("collections", "OrderedDict"): "dict",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
    **{(f"numpy.{core}.multiarray", "_reconstruct"): "array" for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): "scalar" for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "frombuffer" for core in ("core", "_core")},
}


class PickledArray:
    """An array of a pickle: first empty, then filled by the instruction that follows.

    `value` is what an array of one object holds, which is how numpy saves a dict.
    """

    array: NDArray[Any] = np.zeros(0)
    value: Any = None


class _DType:
    """A numpy dtype of numbers: its code ("f4"), then its byte order."""

    def __init__(self, code: object, *, objects: bool) -> None:
        self.objects = objects and code == "O8"
        if self.objects:
            code = "b1"  # its items come as a list
        if not isinstance(code, str) or code[:1] not in "biuf" or code[1:] not in ("1", "2", "4", "8"):
            raise _Refused(f"arrays of {code!r}; only numbers are read")
        self.code = code
        self.order = "="

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Name:
    """A name in the pickle, kept as text: it cannot be called."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


class _Mark:
    """Where a list, tuple or dict begins on the stack."""


class _Refused(Exception):
    """The pickle asks for something that this machine does not do."""


class _Bounded:
    """A file that refuses to read more bytes than are left, so that a false declared length allocates no memory."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size = stream, size

    def read(self, count: int) -> bytes:
        if count > self._size - self._stream.tell():
            raise ValueError(f"{count} bytes declared where {self._size - self._stream.tell()} are left")
        return self._stream.read(count)

    def readline(self) -> bytes:
        return self._stream.readline()

    def tell(self) -> int:
        return self._stream.tell()


def read_pickle(file: Path, *, most: int = MOST_BYTES) -> Any:
    """The value of a pickle of any protocol; its arrays are `PickledArray`, views of what the file holds.

    Raises:
        SkeletonFormatError: if the file is damaged, too large, or asks for anything but data.
    """
    try:
        with file.open("rb") as stream:
            if (size := file.stat().st_size) > most:
                raise SkeletonFormatError(f"{file}: {size} bytes is too large; is it the right file?")
            return read_data(stream, size, str(file))
    except SkeletonFormatError:
        raise
    except OSError as error:
        raise SkeletonFormatError(f"{file}: cannot be read ({error.strerror or error})") from None


def read_data(stream: IO[bytes], size: int, where: str, *, objects: bool = False) -> Any:
    """The value of a pickle in a stream of `size` bytes, as `read_pickle`.

    Args:
        stream: open where the pickle begins.
        size: of the whole stream; no more is read or allocated.
        where: the file, for messages.
        objects: whether an array of one object is accepted.

    Raises:
        SkeletonFormatError: as `read_pickle`.
    """
    try:
        return _read_data(_Bounded(stream, size), objects=objects)
    except _Refused as error:
        raise SkeletonFormatError(
            f"{where}: refused, since this pickle asks for {error}; convert it where you trust it, "
            "with plain numbers, text, lists, dicts and numpy arrays"
        ) from None
    except Exception as error:  # damaged bytes can raise any kind of exception here
        text = str(error) if len(str(error)) < 200 else str(error)[:200] + "…"
        raise SkeletonFormatError(f"{where}: truncated, or no pickle ({type(error).__name__}: {text})") from None


def _read_data(stream: _Bounded, *, objects: bool) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def from_mark() -> list[Any]:
        place = len(stack) - 1
        while not isinstance(stack[place], _Mark):
            place -= 1
        items = stack[place + 1 :]
        del stack[place:]
        return items

    for operation, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type]
        name = operation.name
        if name in _CONSTANTS:
            stack.append(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name])
        else:
            match name:
                case "PROTO" | "FRAME":
                    pass
                case "STOP":
                    return stack.pop()
                case "MARK":
                    stack.append(_Mark())
                case "POP":
                    stack.pop()
                case "POP_MARK":
                    from_mark()
                case "DUP":
                    stack.append(stack[-1])
                case "EMPTY_LIST":
                    stack.append([])
                case "EMPTY_DICT":
                    stack.append({})
                case "LIST":
                    stack.append(from_mark())
                case "TUPLE":
                    stack.append(tuple(from_mark()))
                case "TUPLE1" | "TUPLE2" | "TUPLE3":
                    count = int(name[-1])
                    stack[-count:] = [tuple(stack[-count:])]
                case "DICT":
                    stack.append(_put({}, from_mark()))
                case "APPEND" | "APPENDS":
                    items = [stack.pop()] if name == "APPEND" else from_mark()
                    if not isinstance(stack[-1], list):
                        raise _Refused(f"appending to {type(stack[-1]).__name__}")
                    stack[-1].extend(items)
                case "SETITEM" | "SETITEMS":
                    items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else from_mark()
                    _put(stack[-1], items)
                case "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[int(str(argument))] = stack[-1]
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "GET" | "BINGET" | "LONG_BINGET":
                    stack.append(memo[int(str(argument))])
                case "GLOBAL":
                    module, _, attribute = str(argument).partition(" ")
                    stack.append(_named(module, attribute))
                case "STACK_GLOBAL":
                    attribute, module = stack.pop(), stack.pop()
                    stack.append(_named(module, attribute))
                case "REDUCE":
                    arguments, called = stack.pop(), stack.pop()
                    stack.append(_made(called, arguments, objects=objects))
                case "BUILD":
                    state = stack.pop()
                    _filled(stack[-1], state)
                case _:
                    raise _Refused(f"the instruction {name}")
    raise ValueError("no end")


def _put(target: Any, items: list[Any]) -> Any:
    if not isinstance(target, dict) or len(items) % 2:
        raise _Refused(f"setting items of {type(target).__name__}")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int | float):  # a deeply nested key would overrun the C stack when hashed
            raise _Refused(f"a {type(key).__name__} as a key")
        target[key] = value
    return target


def _named(module: object, attribute: object) -> _Name:
    if not isinstance(module, str) or not isinstance(attribute, str):
        raise _Refused("a name that is no text")
    if (module, attribute) not in _NAMES:
        raise _Refused(f"{module[:80]}.{attribute[:80]}")
    return _Name(_NAMES[module, attribute])


def _made(called: object, arguments: object, *, objects: bool) -> Any:
    """What a call of an allowed name gives."""
    if not isinstance(called, _Name) or not isinstance(arguments, tuple):
        raise _Refused(f"a call of {type(called).__name__}")
    match called.meaning, arguments:
        case "dict", ():
            return {}
        case "bytes", ():
            return b""
        case "dtype", (code, *_):
            return _DType(code, objects=objects)
        case "array", (_Name(), tuple(), _):
            return PickledArray()
        case "encode", (str() as text, "latin1" | "latin-1"):
            return text.encode("latin1")
        case "scalar", (_DType() as kind, bytes() as content):
            return np.frombuffer(content, kind.dtype, count=1)[0].item()
        case "frombuffer", (bytes() | bytearray() as content, _DType() as kind, tuple() as shape, "C" | "F" as order):
            made = PickledArray()
            made.array = _array(content, kind, shape, fortran=order == "F")
            return made
        case _:
            raise _Refused(f"an unusual {called.meaning}")


def _filled(target: object, state: object) -> None:
    """What numpy's `__setstate__` does, for arrays and dtypes of numbers."""
    match target, state:
        case PickledArray(), (int(), tuple() as shape, _DType() as kind, int() as fortran, bytes() as content):
            target.array = _array(content, kind, shape, fortran=bool(fortran))
        case PickledArray(), (int(), (), _DType(objects=True), int(), [value]):
            target.value = value
        case PickledArray(), (int(), tuple(), _DType(), int(), list()):
            raise _Refused("an array of objects")
        case _DType(), (int(), ("<" | ">" | "|" | "=") as order, None, *_):
            target.order = order
        case _:
            raise _Refused(f"a state of {type(target).__name__}")


def _array(content: bytes | bytearray, kind: _DType, shape: tuple[Any, ...], *, fortran: bool) -> NDArray[Any]:
    if kind.objects or len(shape) > 8 or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise _Refused("an array of impossible shape")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise ValueError(f"an array of shape {shape} holds {len(content)} bytes")
    if not content:
        return np.zeros(shape, kind.dtype)
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if fortran else "C")
