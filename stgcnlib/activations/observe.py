"""Reading a network's layers during a pass, and leaving the network exactly as it was.

Forward hooks copy the layers' outputs; train/eval flags, ``requires_grad`` and the device are restored, after an
error too. `record` and `stgcnlib.explain` use the outputs.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.activations.axes import ZOO, Axes, Sizes, arranged, axes_of
from stgcnlib.devices import usable_device
from stgcnlib.errors import AxesError, LayerNotFoundError, StudyError, shorten, suggest
from stgcnlib.threads import INFERENCE_THREADS, torch_threads

__all__ = [
    "INPUT",
    "Layer",
    "Pass",
    "find_layers",
    "in_precision",
    "observing",
    "people_first",
    "temporal_stride",
]

INPUT = "input"

Pass: TypeAlias = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Layer:
    """A place in a network that is recorded: its module name, its index (0 = input), a short title, and its axes.

    `name` is that of the module, or "input"; `index` counts from 0, the input; `title` is its name in figures; `axes`
    is the axis string of its output (`stgcnlib.activations.axes`).
    """

    name: str
    index: int
    title: str
    axes: str = ZOO


def find_layers(
    network: nn.Module, layers: str | Sequence[str] | None = None, *, axes: Axes | None = None
) -> tuple[Layer, ...]:
    """The layers that names or patterns choose, in the network's order; the input is not added here.

    Args:
        layers: module names, ``fnmatch`` patterns, or "input"; `None` means ``network.layer_names``.
            A pattern chooses among ``network.layer_names`` and, if none of those fits, among all modules. Among all
            modules, ``*`` stands for one part of a name: "blocks.*" are the blocks and not the modules within them.
            Only if no such name fits does it stand for several parts.
        axes: axis string of the layers' outputs, such as "NCTV", for all layers or by name or pattern; `None` means
            ``network.layer_axes``, else "(NM)CTV" as in our own networks.

    Returns:
        One `Layer` each. A zoo block keeps its number ("layer 5") when only some blocks are chosen. Where other
        modules are chosen too, `index` counts the chosen layers, and the title of these modules is their name.

    Raises:
        LayerNotFoundError: if a name or pattern matches nothing; the nearest names are suggested.
        AxesError: if an axis string is invalid, or a pattern of `axes` fits no module.
    """
    blocks = list(getattr(network, "layer_names", ()))
    modules = [name for name, _ in network.named_modules() if name]
    if layers is None:
        if not blocks:
            raise LayerNotFoundError(
                f"{type(network).__name__} has no 'layer_names'; name its layers, for example "
                f"layers=[{shorten(modules, 3)}]"
            )
        layers = blocks
    chosen: set[str] = set()
    for wish in [layers] if isinstance(layers, str) else layers:
        if wish == INPUT or wish in modules:
            chosen.add(wish)
            continue
        found = fnmatch.filter(blocks, wish)
        if not found:
            everywhere = fnmatch.filter(modules, wish)
            found = [name for name in everywhere if name.count(".") == wish.count(".")] or everywhere
        if not found:
            raise LayerNotFoundError(
                f"{type(network).__name__} has no layer {wish!r}; {suggest(wish, [*blocks, INPUT, *modules])}"
            )
        chosen.update(found)
    numbered = chosen <= {INPUT, *blocks}
    order = [name for name in (blocks if numbered else modules) if name in chosen]
    result = [Layer(INPUT, 0, INPUT)] if INPUT in chosen else []
    for position, name in enumerate(order, start=1):
        title = f"layer {blocks.index(name) + 1}" if name in blocks else name
        index = blocks.index(name) + 1 if numbered else position
        result.append(Layer(name, index, title, axes_of(network, name, axes)))
    return tuple(result)


@contextmanager
def observing(
    network: nn.Module, layers: Sequence[Layer | str], *, device: str | torch.device = "cpu", gradients: bool = False
) -> Iterator[Pass]:
    """A function that runs the network in eval mode and returns what the named modules put out.

    Inside the block, ``logits, outputs = forward(x)`` takes x (N, C, T, V, M) and gives the network's
    output and, per name, a copy of the module's output in its own axes, which later in-place layers
    do not change; "input" gives x itself. At the end, after an error too, hooks are removed and
    train/eval flags, ``requires_grad``, precision and device are restored.

    A pass gives the same numbers under ``torch.no_grad``, ``inference_mode`` and ``autocast``; with `gradients` this
    holds for all code in the block. Weights in half precision are float32 meanwhile, and are restored bit by bit; a
    network in float64 gets its input in float64.

    Args:
        layers: of `find_layers`, or module names whose outputs are (N*M, C, T, V), or "input".
        device: where the network runs meanwhile.
        gradients: keep the graph, so that the logits can be differentiated by the outputs; the
            parameters themselves get no gradient. Otherwise nothing is tracked.
        network: a module that takes (N, C, T, V, M).

    Returns:
        A context manager; entered, it gives the function `forward`: x (N, C, T, V, M) float32 -> (logits, {name:
        output}), outputs in the axes of their layers.

    Raises:
        LayerNotFoundError: if there is no module of a name (the nearest are suggested), or it was not called, or was
            called more than once.
        AxesError: if its output is no tensor, or its shape does not agree with its axes.
        StudyError: if the network calls ``sys.exit``.
    """
    device = usable_device(device)
    lie = {layer.name: layer.axes for layer in map(_as_layer, layers)}
    names = list(lie)
    modules = dict(network.named_modules())
    for name in names:
        if name != INPUT and name not in modules:
            raise LayerNotFoundError(
                f"{type(network).__name__} has no layer {name!r}; {suggest(name, [INPUT, *filter(None, modules)])}"
            )
    training = {module: module.training for module in network.modules()}
    wanted = {parameter: parameter.requires_grad for parameter in network.parameters()}
    first = next(iter(wanted), None)
    home = None if first is None else first.device
    halves = _halves(network)
    outputs: dict[str, Tensor] = {}

    def hook_for(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _arguments: Any, output: Any) -> Any:
            if name in outputs:
                raise LayerNotFoundError(
                    f"layer {name!r} is called more than once in a pass and has no single output; choose modules within"
                )
            several = isinstance(output, (tuple, list))
            tensor = output[0] if several else output
            outputs[name] = kept = _checked_output(tensor, name).clone()
            if not gradients:
                return None
            # What runs next gets a copy that depends on the kept tensor: an in-place layer then
            # changes the copy, and the kept tensor stays part of the graph.
            return _same_kind(output, (kept.clone(), *output[1:])) if several else kept.clone()

        return hook

    def forward(x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        outputs.clear()
        with _undisturbed(device, gradients=gradients):
            x = x.to(device)
            x = x.clone() if x.is_inference() else x
            if gradients:
                x = x.detach().requires_grad_()
            try:
                logits = network(in_precision(x, network).clone())
            except SystemExit as end:  # it would end the program without a word
                raise StudyError(
                    f"network {type(network).__name__}: its forward pass called exit (SystemExit: {end}); take that out"
                ) from end
        kept = dict(outputs)
        outputs.clear()
        if INPUT in names:
            kept[INPUT] = x
        for name in names:
            if name not in kept:
                raise LayerNotFoundError(f"layer {name!r} is not called in the forward pass; choose one that is")
            if name != INPUT:
                arranged(kept[name], lie[name], _sizes(x), name=name)
        return logits, {name: kept[name] for name in names}

    handles = []
    surroundings = ExitStack()
    try:
        surroundings.enter_context(torch_threads(INFERENCE_THREADS))
        if gradients:
            surroundings.enter_context(_undisturbed(device, gradients=True))
        for name in names:
            if name != INPUT:
                handles.append(modules[name].register_forward_hook(hook_for(name)))
        network.eval()
        for module, name, _ in halves:
            _set_precision(module, name, torch.float32)
        network.to(device)
        if gradients:
            for parameter in wanted:
                parameter.requires_grad_(False)
        yield forward
    finally:
        for handle in handles:
            handle.remove()
        for module, flag in training.items():
            module.training = flag
        if home is not None:
            network.to(home)
        for module, name, dtype in halves:
            _set_precision(module, name, dtype)
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)
        surroundings.close()


@contextmanager
def _undisturbed(device: torch.device, *, gradients: bool) -> Iterator[None]:
    """Within the block, gradients are tracked or not as asked, and autocast is off, whatever the caller has set."""
    with torch.inference_mode(False), torch.set_grad_enabled(gradients), torch.autocast(device.type, enabled=False):
        yield


def _halves(network: nn.Module) -> list[tuple[nn.Module, str, torch.dtype]]:
    """The parameters and buffers in half precision: module, name within, and precision."""
    return [
        (module, name, tensor.dtype)
        for module in network.modules()
        for own in (module.named_parameters(recurse=False), module.named_buffers(recurse=False))
        for name, tensor in own
        if tensor.dtype in (torch.float16, torch.bfloat16)
    ]


def _set_precision(module: nn.Module, name: str, dtype: torch.dtype) -> None:
    tensor = getattr(module, name)
    tensor.data = tensor.data.to(dtype)


def in_precision(x: Tensor, network: nn.Module) -> Tensor:
    """A batch, any shape, in the precision of a network's weights: float64 if all of them are, else as it is."""
    kinds = {each.dtype for each in network.parameters() if each.is_floating_point()}
    return x.double() if kinds == {torch.float64} else x


def people_first(tensor: Tensor, layer: Layer | str, batch: Tensor) -> Tensor:
    """A layer's output for a batch (N, C, T, V, M), or the batch itself, as (N, M, C, T, V).

    A letter that the layer's axes lack has size 1: people or joints that it no longer tells apart.
    """
    layer = _as_layer(layer)
    if layer.name == INPUT:
        return tensor.permute(0, 4, 1, 2, 3)
    return arranged(tensor, layer.axes, _sizes(batch), name=layer.name)


def temporal_stride(lengths: NDArray[np.int64], layer_lengths: NDArray[np.int64]) -> int:
    """Input frames per layer frame, r: the r with ceil(T / r) = T_l for all recordings.

    Where no r fits so, r is that with floor(T / r) = T_l (pooling without padding). Where short recordings leave a
    choice, a power of two is preferred (strides multiply), then the smallest. Where no r fits at all (a network that
    crops its borders), r is the range of T over that of T_l, rounded (where all T_l are equal, the median of T / T_l).

    `lengths` (N,) int64 are frames of the recordings, `layer_lengths` (N,) int64 what a layer keeps of them.
    """
    strides = range(1, int(lengths.max()) + 1)
    fitting = [r for r in strides if np.array_equal(-(-lengths // r), layer_lengths)]
    fitting = fitting or [r for r in strides if np.array_equal(lengths // r, layer_lengths)]
    if not fitting:
        grown, layer_grown = np.ptp(lengths), np.ptp(layer_lengths)
        return max(1, round(float(grown / layer_grown if layer_grown else np.median(lengths / layer_lengths))))
    powers = [r for r in fitting if r & (r - 1) == 0]
    return (powers or fitting)[0]


def _as_layer(layer: Layer | str) -> Layer:
    return layer if isinstance(layer, Layer) else Layer(layer, 0, layer)


def _sizes(batch: Tensor) -> Sizes:
    N, _, T, V, M = batch.shape
    return Sizes(N=N, M=M, V=V, T=T)


def _same_kind(output: Any, parts: tuple[Any, ...]) -> Any:
    """A tuple, named tuple or list as `output` is one, of other parts."""
    kind = type(output)
    return getattr(kind, "_make", kind)(parts)


def _checked_output(output: Any, name: str) -> Tensor:
    if isinstance(output, Tensor):
        return output
    raise AxesError(f"layer {name!r} puts out {type(output).__name__}, expected a tensor; choose a module within")
