"""Families: which published network a state dict belongs to, and what sizes it was built with.

A family is recognised by the patterns of its keys, in the naming of its authors and in that of MMAction2 and PYSKL;
sizes are read off the shapes. Only keys and shapes are looked at here: nothing is built or loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from torch import Tensor

from stgcnlib.errors import CheckpointError, shorten
from stgcnlib.networks import sizes
from stgcnlib.networks.keys import extras, released_name
from stgcnlib.networks.sizes import Shapes

__all__ = ["FAMILIES", "Family", "Match", "find_family", "infer", "match_family"]

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
        CheckpointError: if none fits; says what was found, which family is nearest, and what differs from it.
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
    """A network's keys as the published code has them -> as the state dict has them; `extras` are left out."""
    beside = extras(state)
    return {
        released_name(re.sub(r"^(module\.|backbone\.|cls_head\.)+", "", key)): key for key in state if key not in beside
    }


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\#", r"\d+").replace(r"\*", ".+"))


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
            sizes.st_gcn,
        ),
        Family(
            "agcn",
            (_authors("{g}.PA", *_ADAPTIVE, *_TCN), _mm("{g}.A", "{g}.alpha", *_ADAPTIVE, *_TCN)),
            partial(sizes.by_first_block, first=r"(l1\.gcn1|gcn\.0\.gcn)\.conv_d\.0\.weight"),
        ),
        Family(
            "aagcn",
            (_authors("{g}.PA", *_ADAPTIVE, *_ATTENTION, *_TCN), _mm("{g}.A", *_ADAPTIVE, *_ATTENTION, *_TCN)),
            partial(sizes.by_first_block, first=r"(l1\.gcn1|gcn\.0\.gcn)\.conv_d\.0\.weight"),
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
            partial(sizes.by_first_block, first=r"(l1|net\.0)\.gcn1\.convs\.0\.conv3\.weight"),
        ),
        Family(
            "ms-g3d",
            (
                (
                    "data_bn.*", "gcn3d#.*", "sgcn#.#.A_res", "sgcn#.#.mlp.*", "sgcn#.#.branches.*",
                    "?sgcn#.#.residual.*", "tcn#.branches.*", "?tcn#.residual.*", *_HEAD,
                ),
            ),
            sizes.ms_g3d,
        ),
        Family(
            "st-gcn++",
            (
                _mm(
                    "{g}.A", "{g}.bn.*", "{g}.conv.*", "?{g}.down.*", "{t}.branches.*", "{t}.transform.*", "{t}.bn.*",
                    "?{t}.add_coeff",
                ),
            ),
            sizes.st_gcn,
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
            sizes.shift_gcn,
        ),
        Family(
            "hd-gcn",
            (
                _authors(
                    "{g}.PA", "{g}.conv_down.#.*", "{g}.conv.#.*", "?{g}.conv_d.*", "?{g}.aha.*", "{g}.bn.*",
                    "?{g}.down.*", "{t}.branches.*",
                ),
            ),
            sizes.hd_gcn,
        ),
        Family(
            "hyperformer",
            (
                _blocks(
                    "l#", "vit#", "tcn#", "{g}.norm1.*", "{g}.attn.rpe", "{g}.attn.w1", "{g}.attn.outer",
                    "{g}.attn.alpha", "{g}.attn.kv.*", "{g}.attn.q.*", "{g}.attn.proj.*", "?{g}.skip_proj.*",
                    "{g}.pe_proj.*", "{t}.branches.*",
                ),
            ),
            sizes.hyperformer,
        ),
        Family(
            "blockgcn",
            (
                (
                    *_authors("{g}.fc1", "{g}.rpe", "{g}.fc2.#.*", "{g}.bn.*", "?{g}.down.*", "{t}.branches.*"),
                    "pos_embedding", "to_joint_embedding.*", "t#.mlp.*", "t#.bn.*", "topo.pl.*",
                ),
            ),
            sizes.block_gcn,
        ),
        Family(
            "protogcn",
            (
                (
                    *_mm(
                        "{g}.A", "{g}.alpha", "{g}.beta", "{g}.pre.*", "{g}.post.*", "{g}.conv1.*", "{g}.conv2.*",
                        "?{g}.down.*", "{g}.bn.*", "{t}.branches.*", "{t}.transform.*", "{t}.bn.*", "{t}.add_coeff",
                    ),
                    "?prn.query_matrix.*", "?prn.memory_matrix.*", "?post.*", "?bn.*",
                ),
            ),
            sizes.proto_gcn,
        ),
        Family(
            "degcn",
            (
                _blocks(
                    "streams.#.block-#_tcngcn", "gcn", "tcn", "{g}.A", "?{g}.alpha", "?{g}.conv#.*", "{g}.conv.*",
                    "{g}.bn.*", "{t}.tcn#.*", "{t}.maxpool#x#.*", "{t}.conv#x#.*",
                    "?streams.#.block-#_tcngcn.residual#.*",
                ),
            ),
            sizes.de_gcn,
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
            sizes.efficient_gcn,
        ),
    )
}  # fmt: skip
"""Families by name. Their keys alone tell them apart: an AAGCN is not taken for an AGCN with unknown keys."""
