"""load_network: a network by name, by checkpoint, or by a factory of one's own.

Sizes are read from the checkpoint. A given size that differs raises CheckpointError.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from stgcnlib.errors import CheckpointError, LayoutError, StgcnlibError, StudyError, shorten, suggest
from stgcnlib.networks.agcn import AAGCN, AGCN
from stgcnlib.networks.blockgcn import BlockGCN
from stgcnlib.networks.checkpoints import Checkpoint, load_weights, open_checkpoint
from stgcnlib.networks.ctrgcn import CTRGCN
from stgcnlib.networks.degcn import DeGCN
from stgcnlib.networks.efficientgcn import EfficientGCN
from stgcnlib.networks.families import FAMILIES, find_family, infer, match_family
from stgcnlib.networks.hdgcn import HDGCN, told_centre
from stgcnlib.networks.hyperformer import Hyperformer
from stgcnlib.networks.msg3d import MSG3D
from stgcnlib.networks.own import make_own, refuse_unknown
from stgcnlib.networks.protogcn import ProtoGCN
from stgcnlib.networks.shiftgcn import ShiftGCN
from stgcnlib.networks.stgcn import STGCN
from stgcnlib.networks.stgcnpp import STGCNPP
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout
from stgcnlib.skeleton import layout as layout_of

__all__ = ["NETWORKS", "load_network"]

NETWORKS: dict[str, type[nn.Module]] = {
    "st-gcn": STGCN,
    "agcn": AGCN,
    "aagcn": AAGCN,
    "ctr-gcn": CTRGCN,
    "ms-g3d": MSG3D,
    "st-gcn++": STGCNPP,
    "shift-gcn": ShiftGCN,
    "efficientgcn-b0": EfficientGCN,
    "hd-gcn": HDGCN,
    "hyperformer": Hyperformer,
    "blockgcn": BlockGCN,
    "protogcn": ProtoGCN,
    "degcn": DeGCN,
}
_NO_NETWORK = ("human3.6m-17",)
"""Layouts on which no published action network is trained; this one has as many joints as COCO's."""


def load_network(
    name: str,
    *,
    layout: SkeletonLayout | str | None = None,
    classes: int | None = None,
    channels: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    weights: Literal["checkpoint", "fresh"] = "checkpoint",
    **options: Any,
) -> nn.Module:
    """A network with fresh weights or those of a checkpoint, in evaluation mode.

    Args:
        name: a key of `NETWORKS`: "st-gcn", "agcn" (2s-AGCN's), "aagcn", "ctr-gcn", "ms-g3d", "st-gcn++", "shift-gcn",
            "efficientgcn-b0", "hd-gcn", "hyperformer", "blockgcn", "protogcn", "degcn"; or "auto" for the family whose
            checkpoint it is; or "package.module:factory", a function or class of your own that makes a
            `torch.nn.Module` over batches (N, C, T, V, M). It is called with `options` and with those of `layout`,
            `classes` and `channels` that are given and that it takes; its module may lie in the working directory.
        layout: skeleton or graph that the data is on. `None` takes the checkpoint's: as stgcnlib wrote it, else by
            its graph, else the only known layout with so many joints.
        classes: number of classes; `None` takes the checkpoint's.
        channels: coordinates per joint; `None` takes the checkpoint's, else 3.
        checkpoint: weights to load; read without running any code from the file.
        seed: makes fresh weights repeatable, and leaves torch's own generator as it was.
        weights: "fresh" takes only the sizes from the checkpoint, for an untrained network of the same sizes.
        **options: of the network's class, for example ``width=24`` (see `STGCN`); what is not given is taken from the
            checkpoint's shapes, as far as they tell.

    Raises:
        StudyError: if there is no such network or option (the nearest are suggested), or a factory fails.
        CheckpointError: if the checkpoint is unreadable, belongs to another network, or contradicts what is given.
        LayoutError: if the layout is unknown, or the checkpoint leaves several to choose from.
    """
    if weights not in ("checkpoint", "fresh"):
        raise StudyError(f"weights is {weights!r}; choose 'checkpoint' or 'fresh'")
    source = None if checkpoint is None else open_checkpoint(checkpoint)
    skeleton = None if layout is None else layout_of(layout)
    with torch.inference_mode(False), torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        if ":" in name:
            given = {"layout": skeleton, "classes": classes, "channels": channels}
            network = make_own(name, given, options)
        else:
            sizes = {"classes": classes, "channels": channels, **options}
            network = _zoo_network(_family(name, source), skeleton, sizes, source)
    if source is not None and weights == "checkpoint":
        load_weights(network, source)
    return network.eval()


def _zoo_network(
    name: str, layout: SkeletonLayout | None, given: Mapping[str, Any], source: Checkpoint | None
) -> nn.Module:
    """A network of the zoo, fresh, of the sizes that are given and that the checkpoint tells."""
    kind = NETWORKS[name]
    taken = inspect.signature(kind).parameters
    fixed = ("skeleton", "classes", "channels")
    refuse_unknown(name, kind, [key for key in given if key not in fixed[1:]], others=fixed)
    sizes = {key: value for key, value in given.items() if value is not None}
    told: dict[str, Any] = {}
    if source is not None:
        known = _told(source, name)
        if "widths" in known:
            raise CheckpointError(
                f"{source.file}: its blocks have {', '.join(map(str, known['widths']))} channels; {name!r} is built of "
                "blocks whose channels double where frames halve, and are equal elsewhere; give the network that it "
                "belongs to as 'package.module:factory'"
            )
        layout = _layout(source, layout, known.get("joints"))
        if kind is HDGCN and layout is not None and sizes.get("centre", known.get("centre")) is None:
            sizes |= _centre(source, layout)
        told = {key: value for key, value in known.items() if key in taken}
        if wrong := [key for key in told if key in sizes and _tuples(sizes[key]) != _tuples(told[key])]:
            said = ", ".join(f"{key}={sizes[key]!r} where it has {told[key]!r}" for key in wrong)
            serve = (
                "; to make its weights serve other classes, load it without classes and fine_tune the network, or "
                "name it as transfer.source.checkpoint of a study"
            )
            raise CheckpointError(
                f"{source.file}: load_network was given {said}; leave {' and '.join(wrong)} out to take the "
                f"checkpoint's, or give the checkpoint that belongs to it{serve if 'classes' in wrong else ''}"
            )
        sizes = {**sizes, **told}
    missing = [key for key, value in (("layout", layout), ("classes", sizes.get("classes"))) if value is None]
    if missing:
        where = "without a checkpoint" if source is None else f"since {source.file} does not tell"
        raise StudyError(f"network {name!r} needs {' and '.join(missing)}, {where}; give {' and '.join(missing)}=…")
    assert layout is not None
    options = {key: value for key, value in sizes.items() if key not in ("classes", "channels")}
    make = partial(kind, layout, sizes["classes"], sizes.get("channels", 3), **options)
    try:
        if source is not None and told:
            _refuse_bloat(make, source)
        return make()
    except StgcnlibError:
        raise
    except (TypeError, ValueError) as error:
        raise StudyError(f"network {name!r} refuses options {options}: {error}") from None


def _tuples(value: Any) -> Any:
    """A value with tuples for its lists: JSON and YAML give lists back."""
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def _centre(source: Checkpoint, layout: SkeletonLayout) -> dict[str, int]:
    """The centre of mass of an HD-GCN, as its graphs tell it; nothing, and a warning, if they don't."""
    centre = told_centre(source.state, layout)
    if centre is not None:
        return {"centre": centre}
    warnings.warn(
        f"{source.file}: its graphs do not tell from which centre of mass it was trained; the layout's is taken, "
        "give centre=… where it was another joint",
        stacklevel=4,
    )
    return {}


def _refuse_bloat(make: Callable[[], nn.Module], source: Checkpoint) -> None:
    """Refuse a network far larger than the file before memory is taken for it: forged shapes could ask for one."""
    try:
        with torch.device("meta"):
            needed = sum(p.numel() for p in make().parameters())
    except (RuntimeError, TypeError, ValueError):  # building it with memory raises a clear error
        return
    held = sum(value.numel() for value in source.state.values())
    if needed > 10 * held + 1_000_000:
        raise CheckpointError(
            f"{source.file}: its shapes do not belong together: they ask for a network of {needed:,} parameters, the "
            f"file holds {held:,} numbers; get the checkpoint anew from its source"
        )


def _family(name: str, source: Checkpoint | None) -> str:
    """Name of the family to build: as given, or the one whose checkpoint it is."""
    if name == "auto":
        if source is None:
            raise StudyError("network 'auto' is the family of a checkpoint; give checkpoint=…, or the family's name")
        found = _own_name(source) or find_family(source.state, source=source.file).name
        if found not in NETWORKS:
            raise StudyError(
                f"{source.file}: is a checkpoint of {found!r}, which is not in the zoo of this version "
                f"({shorten(NETWORKS)})"
            )
        return found
    if name not in NETWORKS:
        hint = suggest(name, [*NETWORKS, "auto"])
        raise StudyError(
            f"network {name!r}: none in the zoo has this name; {hint} (one of your own is 'package.module:factory')"
        )
    if source is not None and name in FAMILIES and not match_family(source.state, FAMILIES[name]).fits:
        # The name is wrong only where another family fits; otherwise loading says which keys do not fit.
        others = [f.name for f in FAMILIES.values() if f.name != name and match_family(source.state, f).fits]
        if others:
            raise CheckpointError(
                f"{source.file}: is a checkpoint of {others[0]!r}, not of {name!r}; load_network({others[0]!r}, …) "
                "or 'auto'"
            )
    return name


def _own_name(source: Checkpoint) -> str | None:
    kind = source.description.get("class")
    return next((name for name, known in NETWORKS.items() if known.__name__ == kind), None)


def _told(source: Checkpoint, name: str) -> dict[str, Any]:
    """Constructor arguments by the checkpoint's shapes, and by its own description where stgcnlib wrote it."""
    known = infer(source.state, FAMILIES[name]) if name in FAMILIES else {}
    if _own_name(source) == name:
        described = {key: source.description.get(key) for key in ("classes", "channels")}
        options = source.description.get("options")
        described |= options if isinstance(options, Mapping) else {}
        known |= {key: value for key, value in described.items() if value is not None}
    return known


def _layout(source: Checkpoint, given: SkeletonLayout | None, joints: int | None) -> SkeletonLayout | None:
    """The layout that is given, checked against the checkpoint, or the one that the checkpoint tells."""
    if given is not None:
        if joints is not None and len(given) != joints:
            raise CheckpointError(
                f"{source.file}: load_network was given layout {given.name!r} of {len(given)} joints where it has "
                f"{joints}; give the layout that it was trained on, or leave it out"
            )
        return given
    described = source.description.get("layout")
    if isinstance(described, str) and described in LAYOUTS:
        return LAYOUTS[described]
    if isinstance(described, Mapping):
        try:
            return SkeletonLayout.from_dict(described)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise CheckpointError(f"{source.file}: its layout is damaged ({error}); give layout=…") from None
    if joints is None:
        return None
    candidates = [known for known in LAYOUTS.values() if len(known) == joints and known.name not in _NO_NETWORK]
    same = [known for known in candidates if _has_graph(source, known)]
    chosen = same if len(same) == 1 else candidates
    if len(chosen) == 1:
        return chosen[0]
    names = shorten([known.name for known in chosen])
    said = f"which several layouts have ({names})" if chosen else "which no known layout has"
    raise LayoutError(f"{source.file}: its network has {joints} joints, {said}; give the layout that it was trained on")


def _has_graph(source: Checkpoint, layout: SkeletonLayout) -> bool:
    """Whether a graph kept in the checkpoint joins exactly the joints that this layout's bones join."""
    count = len(layout)
    bones = np.zeros((count, count), dtype=bool)
    for child, parent in layout.bones:
        bones[child, parent] = bones[parent, child] = True
    for key, value in source.state.items():
        if key.rpartition(".")[2] == "A" and value.shape[-2:] == (count, count) and not value.is_meta:
            joined = (value.reshape(-1, count, count) != 0).any(dim=0).numpy()
            np.fill_diagonal(joined, val=False)
            if np.array_equal(joined | joined.T, bones):
                return True
    return False
