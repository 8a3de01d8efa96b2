"""Parameter names of other code bases, translated to ours.

Pure functions on names and tensors: no file is read and no network is built. Our modules carry the names of the
authors' code; MMAction2 and PYSKL name them otherwise, and some released files have older names than the released code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

__all__ = ["extras", "released_name", "translate"]

_COUNTERS = ("n_averaged", "steps")  # of torch's AveragedModel and of mmengine's
_TRAINING_HEADS = re.compile(r"ren_(low|mid|high|fin)\.")  # FR-Head's contrastive heads


def extras(keys: Iterable[str]) -> set[str]:
    """Keys beside a network's weights that no network in evaluation needs.

    Running averages that mmcv's EMAHook keeps as ``ema_`` and the weight's name with underscores (the file's own
    weights are the averages already), counters of averaging, and heads that only serve a training loss: FR-Head's.
    """
    keys = set(keys)
    averages = {f"ema_{key.replace('.', '_')}" for key in keys}
    averages |= {f"ema_{key.removeprefix('module.').replace('.', '_')}" for key in keys}
    return {
        key for key in keys if key in averages or key in _COUNTERS or _TRAINING_HEADS.match(key.removeprefix("module."))
    }


def released_name(key: str) -> str:
    """The name in the published code of a parameter that a released file calls otherwise.

    Weights of 2s-AGCN of 2018 call the shortcut around a graph convolution ``conv_res``; the code calls it ``down``.
    """
    return re.sub(r"(^|\.)gcn1\.conv_res\.", r"\1gcn1.down.", key)


def translate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in our naming, without `extras`; one that is so already, or of no family known here, stays as it is.

    MMAction2's and PYSKL's ``backbone.`` and ``cls_head.`` are taken off. Their ST-GCN becomes our `STGCN`, where
    each block's ``A`` times ``PA`` is the common graph ``A`` times ``edge_importance``; their AAGCN becomes `AAGCN`,
    PYSKL's CTR-GCN `CTRGCN`; ST-GCN++ has the same names without the prefix.
    """
    beside = extras(state)
    state = _of_hd_gcn({released_name(key): value for key, value in state.items() if key not in beside})
    if not any(key.startswith(("backbone.", "cls_head.")) for key in state):
        return state
    plain = {_head(key.removeprefix("backbone.")): value for key, value in state.items()}
    if any(key.startswith("gcn.0.tcn.transform.") for key in plain):
        return plain
    if "gcn.0.gcn.conv.weight" in plain:
        return _stgcn(plain)
    return {_numbered(key): value for key, value in plain.items()}


def _of_hd_gcn(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Translate HD-GCN's second copy of its last level, ``conv_d``, and its biases of shape (1, C, 1, 1)."""
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        block, found, rest = key.partition(".gcn1.conv_d.")
        graphs = state.get(f"{block}.gcn1.PA")
        if found and graphs is not None and f"{block}.gcn1.conv_down.0.0.weight" in state:
            result[f"{block}.gcn1.conv.{len(graphs) - 1}.{rest}"] = value
        elif re.fullmatch(r".+\.tcn1\.branches\.\d+\.3\.bias", key) and value.ndim == 4:
            result[f"{key.removesuffix('bias')}conv.bias"] = value.flatten()
        else:
            result[key] = value
    return result


def _head(key: str) -> str:
    return re.sub(r"^cls_head\.(fc_cls|fc)\.", "fc.", key)


def _numbered(key: str) -> str:
    """``gcn.0.gcn.A`` (AAGCN) and ``net.0.gcn1.A`` (PYSKL's CTR-GCN) -> ``l1.gcn1.PA``."""
    match = re.match(r"^(?:gcn|net)\.(\d+)\.(.+)$", key)
    if match is None:
        return key
    rest = re.sub(r"^(gcn|tcn)\.", r"\g<1>1.", match[2])
    return f"l{int(match[1]) + 1}.{'gcn1.PA' if rest == 'gcn1.A' else rest}"


_STGCN_PARTS = {
    "gcn.conv": "gcn.conv",
    "gcn.bn": "tcn.0",
    "tcn.conv": "tcn.2",
    "tcn.bn": "tcn.3",
    "residual.conv": "residual.0",
    "residual.bn": "residual.1",
}


def _stgcn(plain: Mapping[str, Tensor]) -> dict[str, Tensor]:
    result: dict[str, Tensor] = {}
    graphs: dict[int, Tensor] = {}
    importance: dict[int, Tensor] = {}
    for key, value in plain.items():
        match = re.match(r"^gcn\.(\d+)\.(.+)$", key)
        if match is None:
            # The head is a 1x1 convolution in ours.
            new = key.replace("fc.", "fcn.") if key.startswith("fc.") else key
            result[new] = value[:, :, None, None] if new == "fcn.weight" and value.ndim == 2 else value
            continue
        block, rest = int(match[1]), match[2]
        if rest == "gcn.A":
            graphs[block] = value
        elif rest == "gcn.PA":
            importance[block] = value
        else:
            part, _, kind = rest.rpartition(".")
            result[f"st_gcn_networks.{block}.{_STGCN_PARTS.get(part, part)}.{kind}"] = value
    if not graphs:
        return {**result, **{f"edge_importance.{block}": value for block, value in importance.items()}}
    common = next(iter(graphs.values()))
    if importance.keys() != graphs.keys() or any(not torch.equal(A, common) for A in graphs.values()):
        # Each block has its own graph: that goes into its edge importance, and the common graph is all ones.
        importance = {block: A * importance.get(block, torch.ones_like(A)) for block, A in graphs.items()}
        common = torch.ones_like(common)
    return {**result, "A": common, **{f"edge_importance.{block}": value for block, value in importance.items()}}
