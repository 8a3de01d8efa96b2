"""Layouts: which joints a body has, in which order, and how bones join them; or the vertices and edges of any graph.

A layout is data, not behaviour: readers name one, networks build their graph from it, figures draw
its bones. Recordings are in `stgcnlib.sequences`.
"""

from __future__ import annotations

from collections.abc import Mapping

from stgcnlib.errors import LayoutError, suggest
from stgcnlib.skeleton.definition import SkeletonLayout, graph_layout
from stgcnlib.skeleton.estimators import ESTIMATORS
from stgcnlib.skeleton.sensors import SENSORS
from stgcnlib.skeleton.whole_body import WHOLE
from stgcnlib.skeleton.written import is_layout_file, mirror_of, read_layout

__all__ = ["LAYOUTS", "SkeletonLayout", "graph_layout", "is_layout_file", "layout", "mirror_of"]

LAYOUTS: Mapping[str, SkeletonLayout] = {known.name: known for known in (*SENSORS, *ESTIMATORS, *WHOLE)}


def layout(name: str | SkeletonLayout) -> SkeletonLayout:
    """The layout of that name, or of a file ``*.yml``, ``*.yaml`` or ``*.json`` that `read_layout` reads.

    A `SkeletonLayout` is returned as it is.

    `name` is that of a layout in `LAYOUTS`, a file, or a `SkeletonLayout`.

    Raises:
        LayoutError: if no layout has that name, in which case the nearest names are suggested, or the file is wrong.

    Examples:
        >>> import stgcnlib
        >>> stgcnlib.layout("ntu-rgb+d").joints[:3]
        ('spine base', 'spine mid', 'neck')
    """
    if isinstance(name, SkeletonLayout):
        return name
    if is_layout_file(name):
        return read_layout(name)
    if name not in LAYOUTS:
        raise LayoutError(
            f"no layout is named {name!r}; {suggest(name, LAYOUTS)} or pass your own SkeletonLayout, or a .yml file"
        )
    return LAYOUTS[name]
