"""The schema of a study, walked: its keys, and values that each may have."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stgcnlib.pipeline.study import Study

__all__ = ["keys_of_schema", "values"]

TEXT = st.text("abcxyz", min_size=1, max_size=5)
LARGEST = 40


def keys_of_schema(model: type[BaseModel] = Study, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Dotted key and field of everything that is no section."""
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield f"{prefix}{name}", field
        else:
            yield from keys_of_schema(section, f"{prefix}{name}.")


def values(field: FieldInfo, *, text: st.SearchStrategy[str] = TEXT) -> st.SearchStrategy[Any]:
    """Values of a field by its type and limits, as a study file has them; `text` for its strings."""
    return _drawn(field.annotation, field.metadata, text)


def _section(kind: Any) -> type[BaseModel] | None:
    """The model of a section that is there or not."""
    given = [each for each in _alternatives(kind) if each is not type(None)]
    alone = len(given) == 1 and isinstance(given[0], type) and issubclass(given[0], BaseModel)
    return given[0] if alone else None


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _drawn(kind: Any, metadata: Sequence[Any], text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if len(_alternatives(kind)) > 1:
        return st.one_of([_drawn(each, metadata, text) for each in _alternatives(kind)])
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner = [m for each in args[1:] for m in (each.metadata if isinstance(each, FieldInfo) else [each])]
        return _drawn(args[0], [*inner, *metadata], text)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(_drawn(args[0], [], text), min_size=_limit(metadata, "min_length", 0), max_size=3)
    if origin is dict:
        return st.dictionaries(_drawn(args[0], [], text), _drawn(args[1], [], text), max_size=2)
    if kind in (None, type(None)):
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(_limit(metadata, "ge", 0), LARGEST)
    if kind is float:
        above, below = _limit(metadata, "gt", None), _limit(metadata, "lt", None)
        least = _limit(metadata, "ge", 0) if above is None else above
        most = _limit(metadata, "le", LARGEST) if below is None else below
        return st.floats(least, most, exclude_min=above is not None, exclude_max=below is not None, width=32)
    if kind is str:
        return text
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields: Mapping[str, FieldInfo] = kind.model_fields
        return st.fixed_dictionaries({}, optional={name: values(field, text=text) for name, field in fields.items()})
    raise AssertionError(f"no values are known for {kind}")


def _limit(metadata: Sequence[Any], name: str, otherwise: Any) -> Any:
    return next((getattr(each, name) for each in metadata if hasattr(each, name)), otherwise)
