"""Families: which published network a state dict belongs to, and what sizes it was built with.

A family is told by the patterns of its keys, in the naming of its authors and in that of MMAction2 and PYSKL; sizes
are read off the shapes. Only keys and shapes are looked at here: nothing is built or loaded.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias

from torch import Tensor

from stgcnlib.errors import CheckpointError, shorten
from stgcnlib.networks.keys import extras, released_name
from stgcnlib.networks.recognizer import block_plan

__all__ = ["FAMILIES", "Family", "Match", "find_family", "infer", "match_family"]

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

ENOUGH = 0.9  # share of a checkpoint's keys that its family must know


@dataclass(frozen=True)
class Family:
    """One published network.

    Attributes:
        name: what `load_network` calls it.
        namings: the patterns of its keys, one tuple per way of naming them. ``#`` stands for a number, ``*`` for
            anything; a pattern that begins with ``?`` may be absent.
        infer: shapes of a state dict -> constructor arguments that they tell; `joints` and `people` among them.
    """

    name: str
    namings: tuple[tuple[str, ...], ...]
    infer: Callable[[Shapes], dict[str, Any]]


@dataclass(frozen=True)
class Match:
    """How well a state dict fits a family.

    Attributes:
        family: that was tried.
        unexpected: keys that it does not know.
        missing: patterns of it that no key has.
        score: share of known keys times share of patterns found, 0 to 1.
    """

    family: Family
    unexpected: tuple[str, ...]
    missing: tuple[str, ...]
    score: float

    @property
    def fits(self) -> bool:
        """Whether nothing is missing and nearly every key is known."""
        return not self.missing and self.score >= ENOUGH


def find_family(state: Mapping[str, Tensor], *, source: object = "the state dict") -> Family:
    """The family whose keys these are.

    Raises:
        CheckpointError: if none fits; says what was found, and which family came nearest and by how much not.
    """
    matches = sorted((match_family(state, family) for family in FAMILIES.values()), key=lambda m: m.score)
    best = matches[-1]
    if best.fits:
        return best.family
    found = f"{source}: belongs to no network of the zoo: {len(state)} tensors, such as {shorten(state, 3)}"
    if best.score == 0:
        raise CheckpointError(f"{found}; for a network of your own, give load_network its 'package.module:factory'")
    wrong = []
    if best.unexpected:
        wrong.append(f"{len(best.unexpected)} unexpected keys ({shorten(best.unexpected, 2)})")
    if best.missing:
        wrong.append(f"{len(best.missing)} kinds of keys missing ({shorten(best.missing, 2)})")
    raise CheckpointError(f"{found}; nearest is {best.family.name!r}, with {' and '.join(wrong)}")


def match_family(state: Collection[str], family: Family) -> Match:
    """How well keys fit a family, in the naming of it that fits them best."""
    keys = _bare_keys(state)
    tried = []
    for naming in family.namings:
        known = {pattern.removeprefix("?"): _compiled(pattern.removeprefix("?")) for pattern in naming}
        unexpected = tuple(key for key in keys if not any(p.fullmatch(key) for p in known.values()))
        required = [pattern for pattern in naming if not pattern.startswith("?")]
        missing = tuple(p for p in required if not any(known[p].fullmatch(key) for key in keys))
        share = 1 - len(unexpected) / max(len(keys), 1)
        tried.append(Match(family, unexpected, missing, share * (1 - len(missing) / len(required))))
    return max(tried, key=lambda match: match.score)


def infer(state: Mapping[str, Tensor], family: Family) -> dict[str, Any]:
    """Constructor arguments that the shapes of a family's state dict tell; what they don't tell is left out."""
    shapes = {bare: tuple(state[key].shape) for bare, key in _bare_keys(state).items()}
    return {key: value for key, value in family.infer(shapes).items() if value is not None}


def _bare_keys(state: Collection[str]) -> dict[str, str]:
    """The keys of a network's weights as the published code has them -> as they are; what lies beside is left out."""
    beside = extras(state)
    return {
        released_name(re.sub(r"^(module\.|backbone\.|cls_head\.)+", "", key)): key for key in state if key not in beside
    }


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\#", r"\d+").replace(r"\*", ".+"))


# -- what shapes tell ------------------------------------------------------------------------------


def _size(shapes: Shapes, pattern: str, axis: int = 0) -> int | None:
    """Size along one axis of the first key that a regular expression fits, or `None`."""
    return next((shape[axis] for key, shape in shapes.items() if re.fullmatch(pattern, key)), None)


def _common(shapes: Shapes, *, joints: int | None, channels: int | None) -> dict[str, Any]:
    """What all families share: the head tells the classes, the first batch norm the people that it mixes."""
    norm = _size(shapes, r"data_bn\.weight")
    people = norm // (joints * channels) if norm and joints and channels else None
    classes = _size(shapes, r"(classifier\.)?(fc|fcn|fc_cls)\.weight")
    return {"classes": classes, "joints": joints, "channels": channels, "people": people}


def _blocks_told(shapes: Shapes, block: str, width: str, axis: int = 0) -> dict[str, Any]:
    """Width, depth and halvings of the first keys that the expressions fit; `widths` where no such blocks are built.

    Halvings that are the published ones are left out. Frames are taken to halve where channels double; a shortcut
    with weights between equal channels says that they halve where channels don't, which is not built.
    """
    found = {int(m[1]): shape[axis] for key, shape in shapes.items() if (m := re.fullmatch(block + width, key))}
    widths = [found[number] for number in sorted(found)]
    if not widths:
        return {}
    told: dict[str, Any] = {"width": widths[0], "depth": len(widths)}
    if widths == [plan.channels_out for plan in block_plan(1, widths[0], len(widths))]:
        return told
    grown = [later / before for before, later in itertools.pairwise(widths)]
    shortcuts = {int(m[1]) for key in shapes if (m := re.match(block + r"\.residual\.", key))}
    steps = zip(sorted(found)[1:], grown, strict=True)
    if any(growth not in (1, 2) or (growth == 1 and number in shortcuts) for number, growth in steps):
        return {**told, "widths": tuple(widths)}
    return {**told, "halvings": tuple(number for number, growth in enumerate(grown, start=2) if growth == 2)}


def _st_gcn(shapes: Shapes) -> dict[str, Any]:
    """ST-GCN and ST-GCN++: partitions of the graph, width and depth, and whether edges have weights."""
    graph, first = r"A|edge_importance\.0|gcn\.0\.gcn\.(PA|A)", r"(st_gcn_networks|gcn)\.0\.gcn\.conv\.weight"
    sizes = _common(shapes, joints=_size(shapes, graph, -1), channels=_size(shapes, first, 1))
    sizes |= _blocks_told(shapes, r"(?:st_gcn_networks|gcn)\.(\d+)", r"\.(?:tcn\.0|gcn\.bn)\.weight")
    if "st_gcn_networks.0.gcn.conv.weight" in shapes:
        sizes["edge_importance"] = "edge_importance.0" in shapes
        # Three partitions may also be distances up to 2 hops; the published networks are spatial.
        named = {1: ("uniform", 1), 2: ("distance", 1), 3: ("spatial", 1), 5: ("spatial", 2)}
        sizes["strategy"], sizes["max_hop"] = named.get(_size(shapes, graph) or 0, (None, None))
    return sizes


def _by_first_block(shapes: Shapes, *, first: str) -> dict[str, Any]:
    """AGCN, AAGCN, CTR-GCN: the first graph convolution (width, channels, 1, 1), and the graph (K, V, V)."""
    sizes = _common(shapes, joints=_size(shapes, r".*\.(PA|A)", -1), channels=_size(shapes, first, 1))
    return {**sizes, **_blocks_told(shapes, r"(?:l|gcn\.|net\.)(\d+)", r"\.gcn1?\.bn\.weight")}


def _ms_g3d(shapes: Shapes) -> dict[str, Any]:
    """MS-G3D: one graph per scale, stacked (scales * V, V), and one multilayer perceptron over all scales."""
    graph, first = r"sgcn1\.0\.A_res", r"sgcn1\.0\.mlp\.layers\.0\.weight"
    stacked, joints, features = _size(shapes, graph), _size(shapes, graph, 1), _size(shapes, first, 1)
    if not joints or not stacked or not features:
        return {}
    scales = stacked // joints
    sizes = _common(shapes, joints=joints, channels=features // scales)
    return {**sizes, "width": _size(shapes, first), "gcn_scales": scales}


def _shift_gcn(shapes: Shapes) -> dict[str, Any]:
    joints, first = _size(shapes, r"l1\.gcn1\.Feature_Mask", 1), r"l1\.gcn1\.Linear_weight"
    sizes = _common(shapes, joints=joints, channels=_size(shapes, first))
    return {**sizes, **_blocks_told(shapes, r"l(\d+)", r"\.gcn1\.Linear_weight", axis=1)}


def _efficient_gcn(shapes: Shapes) -> dict[str, Any]:
    joints = _size(shapes, r"input_branches\.0\..*\.A", -1)
    features = _size(shapes, r"input_branches\.0\.init_bn\.weight")
    # Each branch reads two kinds of features side by side, such as positions about the frame and about the body.
    sizes = _common(shapes, joints=joints, channels=features // 2 if features else None)
    return {**sizes, "width": _size(shapes, r"input_branches\.0\.stem_scn\.bn\.weight")}


# -- the table -------------------------------------------------------------------------------------

_HEAD = ("?fc.*", "?fc_cls.*")
_ADAPTIVE = ("{g}.conv_a.#.*", "{g}.conv_b.#.*", "{g}.conv_d.#.*", "{g}.bn.*", "?{g}.down.*", "?{g}.A")
_ATTENTION = ("{g}.conv_ta.*", "{g}.conv_sa.*", "{g}.fc1c.*", "{g}.fc2c.*", "{g}.alpha")


def _blocks(block: str, gcn: str, tcn: str, *patterns: str) -> tuple[str, ...]:
    """Patterns of a network of blocks, each a graph and a temporal convolution; {g} and {t} stand for their names."""
    names = {"g": f"{block}.{gcn}", "t": f"{block}.{tcn}"}
    filled = tuple(pattern.format(**names) for pattern in patterns)
    return ("data_bn.*", *filled, f"?{block}.residual.*", *_HEAD)


_authors = partial(_blocks, "l#", "gcn#", "tcn#")
_mm = partial(_blocks, "gcn.#", "gcn", "tcn")
_TCN = ("{t}.conv.*", "{t}.bn.*")

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "st-gcn",
            (
                (
                    "data_bn.*", "st_gcn_networks.#.gcn.conv.*", "st_gcn_networks.#.tcn.#.*",
                    "?st_gcn_networks.#.residual.#.*", "?edge_importance.#", "?A", "?fcn.*",
                ),
                _mm("{g}.A", "?{g}.PA", "{g}.bn.*", "{g}.conv.*", "?{g}.down.*", *_TCN),
            ),
            _st_gcn,
        ),
        Family(
            "agcn",
            (_authors("{g}.PA", *_ADAPTIVE, *_TCN), _mm("{g}.A", "{g}.alpha", *_ADAPTIVE, *_TCN)),
            partial(_by_first_block, first=r"(l1\.gcn1|gcn\.0\.gcn)\.conv_d\.0\.weight"),
        ),
        Family(
            "aagcn",
            (_authors("{g}.PA", *_ADAPTIVE, *_ATTENTION, *_TCN), _mm("{g}.A", *_ADAPTIVE, *_ATTENTION, *_TCN)),
            partial(_by_first_block, first=r"(l1\.gcn1|gcn\.0\.gcn)\.conv_d\.0\.weight"),
        ),
        Family(
            "ctr-gcn",
            tuple(
                _blocks(
                    block, "gcn#", "tcn#", graph, "{g}.alpha", "{g}.convs.#.conv#.*", "{g}.bn.*", "?{g}.down.*",
                    "{t}.branches.*", "?{t}.residual.*", "?{t}.transform.*", "?{t}.bn.*",
                )
                for block, graph in (("l#", "{g}.PA"), ("net.#", "{g}.A"))
            ),
            partial(_by_first_block, first=r"(l1|net\.0)\.gcn1\.convs\.0\.conv3\.weight"),
        ),
        Family(
            "ms-g3d",
            (
                (
                    "data_bn.*", "gcn3d#.*", "sgcn#.#.A_res", "sgcn#.#.mlp.*", "sgcn#.#.branches.*",
                    "?sgcn#.#.residual.*", "tcn#.branches.*", "?tcn#.residual.*", *_HEAD,
                ),
            ),
            _ms_g3d,
        ),
        Family(
            "st-gcn++",
            (
                _mm(
                    "{g}.A", "{g}.bn.*", "{g}.conv.*", "?{g}.down.*", "{t}.branches.*", "{t}.transform.*", "{t}.bn.*",
                    "?{t}.add_coeff",
                ),
            ),
            _st_gcn,
        ),
        Family(
            "shift-gcn",
            (
                _authors(
                    "{g}.Linear_weight", "{g}.Linear_bias", "{g}.Feature_Mask", "?{g}.shift_in", "?{g}.shift_out",
                    "{g}.bn.*", "?{g}.down.*", "{t}.bn.*", "{t}.bn2.*", "{t}.shift_in.*", "{t}.shift_out.*",
                    "{t}.temporal_linear.*",
                ),
            ),
            _shift_gcn,
        ),
        Family(
            "efficientgcn-b0",
            (
                (
                    "input_branches.#.init_bn.*", "input_branches.#.stem_scn.*", "input_branches.#.stem_tcn.*",
                    "input_branches.#.block-#_scn.*", "input_branches.#.block-#_att.*", "main_stream.block-#_scn.*",
                    "main_stream.block-#_tcn-0.*", "main_stream.block-#_att.*", "?classifier.fc.*",
                ),
            ),
            _efficient_gcn,
        ),
    )
}  # fmt: skip
"""By name. Told apart by their keys alone, so that an AAGCN is no AGCN with unknown keys."""
