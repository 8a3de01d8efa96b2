"""What a layout is: joints, bones and landmarks of a body, or the vertices and edges of any graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stgcnlib.errors import LayoutError, shorten, suggest

__all__ = ["SkeletonLayout", "graph_layout"]


@dataclass(frozen=True)
class SkeletonLayout:
    """Joints, bones and landmarks of one kind of skeleton; `graph_layout` makes one of any other graph.

    Attributes:
        name: what `layout()` finds it by.
        joints: joint names in the order of the data's joint axis (V names).
        bones: pairs ``(child, parent)`` of joint indices; V - 1 of them for a tree.
        centre: the joint that spatial partitions are measured from (ST-GCN, section 3.3); `None` without one.
        mirror: pairs ``(left, right)`` of joint indices; joints of no pair lie on the midline.
        spine: ``(lower, upper)`` joints of the trunk axis, used to set the body upright.
        shoulders: ``(left, right)`` joints whose line gives the facing direction.
        limbs: names of body parts -> their joints, for grouping in figures.
        dimensions: 3 for positions in metres, 2 for image coordinates, 0 for a graph whose joints carry signals
            instead of moving: nothing can then be centred, turned or mirrored.
        positions: where to draw the joints of such a graph, one (x, y) or (x, y, z) each; `None` lets figures choose.

    Raises:
        LayoutError: if an index is out of range, a joint name repeats, a bone is a loop, or positions do not fit.

    Examples:
        >>> from stgcnlib import SkeletonLayout
        >>> mouse = SkeletonLayout("mouse", ("snout", "left ear", "right ear"), ((1, 0), (2, 0)), dimensions=2)
        >>> len(mouse.joints), mouse.dimensions
        (3, 2)
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    centre: int | None = None
    mirror: tuple[tuple[int, int], ...] = ()
    spine: tuple[int, int] | None = None
    shoulders: tuple[int, int] | None = None
    limbs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dimensions: int = 3
    positions: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(set(self.joints)) != count:
            repeated = sorted({j for j in self.joints if self.joints.count(j) > 1})
            raise LayoutError(f"layout {self.name!r}: joint names repeat ({', '.join(repeated)}); name each once")
        pairs = [*self.bones, *self.mirror]
        pairs += [pair for pair in (self.spine, self.shoulders) if pair is not None]
        used = [] if self.centre is None else [self.centre]
        used += [j for members in (*pairs, *self.limbs.values()) for j in members]
        wrong = sorted({j for j in used if not 0 <= j < count})
        if wrong:
            raise LayoutError(
                f"layout {self.name!r}: joint indices {wrong} do not exist; it has joints 0 to {count - 1}"
            )
        if loops := [bone for bone in self.bones if bone[0] == bone[1]]:
            raise LayoutError(f"layout {self.name!r}: bone {loops[0]} joins a joint to itself; give (child, parent)")
        sizes = {len(place) for place in self.positions or ()}
        if self.positions is not None and (len(self.positions) != count or sizes not in ({2}, {3})):
            raise LayoutError(
                f"layout {self.name!r}: positions hold {len(self.positions)} places of {sorted(sizes)} numbers for "
                f"{count} joints; give each (x, y) or (x, y, z)"
            )

    def __len__(self) -> int:
        """Number of joints V."""
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a `joint` by its name; `LayoutError` with the nearest names if there is none."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise LayoutError(f"layout {self.name!r} has no joint {joint!r}; {suggest(joint, self.joints)}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON, from which `from_dict` makes this layout again."""
        fields = {**asdict(self), "limbs": {name: list(joints) for name, joints in self.limbs.items()}}
        if self.positions is None:
            del fields["positions"]  # files of version 0.1 have no such field
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SkeletonLayout:
        """The layout of plain values, as `to_dict` gives them.

        `fields` are named as the attributes.

        Raises:
            LayoutError: as the class.
            KeyError, TypeError, ValueError: if a field is missing or of another kind.
        """

        def pairs(key: str) -> tuple[tuple[int, int], ...]:
            return tuple((int(a), int(b)) for a, b in fields[key])

        def pair(key: str) -> tuple[int, int] | None:
            return None if fields[key] is None else (int(fields[key][0]), int(fields[key][1]))

        places = fields.get("positions")
        return cls(
            name=fields["name"],
            joints=tuple(fields["joints"]),
            bones=pairs("bones"),
            centre=None if fields["centre"] is None else int(fields["centre"]),
            mirror=pairs("mirror"),
            spine=pair("spine"),
            shoulders=pair("shoulders"),
            limbs={name: tuple(joints) for name, joints in fields["limbs"].items()},
            dimensions=int(fields["dimensions"]),
            positions=None if places is None else tuple(tuple(float(x) for x in place) for place in places),
        )


def graph_layout(
    name: str,
    edges: Iterable[Sequence[int]],
    *,
    names: Sequence[str] | None = None,
    positions: Iterable[Sequence[float]] | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
) -> SkeletonLayout:
    """The layout of a graph that is no body: sensors, roads, brain regions.

    Its vertices are called joints and its edges bones, as a body's; they carry signals, so nothing is centred, turned
    or mirrored (`transforms.standardize` prepares such data). It has no centre, so a network must partition
    neighbours by strategy "uniform" or "distance".

    Args:
        name: for messages and figures.
        edges: pairs of joint indices, undirected; each pair of joints once.
        names: of the V joints, in the data's order; `None` numbers them "joint 0", … up to the largest index in `edges`
            or the last of `positions`.
        positions: (V, 2) or (V, 3) where figures draw the joints; `None` lets figures lay the graph out by its edges.
        groups: names of regions -> their joints, for grouping in figures.

    Raises:
        LayoutError: if an edge or a group names a joint that is not there, a name repeats, an edge is given twice, or
            positions do not fit.

    Examples:
        >>> import stgcnlib
        >>> stgcnlib.graph_layout("roads", [(0, 1), (1, 2)]).joints
        ('joint 0', 'joint 1', 'joint 2')
    """
    try:
        pairs = [(int(a), int(b)) for a, b in edges]
        places = None if positions is None else tuple(tuple(float(x) for x in place) for place in positions)
    except (TypeError, ValueError) as error:
        raise LayoutError(
            f"layout {name!r}: edges are pairs of joint indices and positions are (x, y) per joint ({error})"
        ) from None
    known = {frozenset(pair) for pair in pairs}
    if len(known) < len(pairs):
        twice = sorted({pair for pair in pairs if pairs.count(pair) + (pairs.count(pair[::-1])) > 1})
        raise LayoutError(f"layout {name!r}: edges {shorten(twice, 4)} are given twice; give each pair of joints once")
    count = len(places) if places is not None else 1 + max((joint for pair in pairs for joint in pair), default=-1)
    return SkeletonLayout(
        name=name,
        joints=tuple(str(n) for n in names) if names is not None else tuple(f"joint {j}" for j in range(count)),
        bones=tuple(pairs),
        limbs={region: tuple(int(j) for j in members) for region, members in (groups or {}).items()},
        dimensions=0,
        positions=places,
    )
