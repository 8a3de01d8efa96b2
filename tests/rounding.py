"""What rounding may do to a network's result: networks computed in double, and a model of float32's error.

The model runs a network in float64 and adds to every operation the error that float32 makes there, drawn at random.
Nothing in it comes from a machine: a processor may sum in any order and any vector width, with or without fused
multiply-add, and stays within a small multiple of the drawn errors. An operation in a coarser format does not.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Network = TypeVar("Network", bound=nn.Module)

UNIT = 2.0**-24  # float32 rounds a result by at most this share of it
RUNS = 8  # drawn errors per estimate
# How far a true error may lie above the root mean square of the drawn ones. If one direction near a tie made all of an
# error and the model were exact, 8 would be passed once in 20,000 (Student's t, 8 degrees of freedom); true errors
# are a quarter to a half of the drawn ones, and the draws are the same in every run.
MARGIN = 8.0

# Numbers that agree in double and are kept in float32 differ in the last place at most.
STORED = {"rtol": 2.0**-22, "atol": 1e-12}


def in_double(network: Network) -> Network:
    """The network itself, from now on computed in float64 whatever comes in; its weights keep their float32 values."""
    network.double()
    network.register_forward_pre_hook(lambda module, inputs: (inputs[0].double(), *inputs[1:]))
    return network


def relative_error(found: Tensor, exact: Tensor) -> float:
    """Largest difference, as a share of the largest exact value."""
    assert found.shape == exact.shape
    return float((found.double() - exact).abs().max() / exact.abs().max())


def allowed(function: Callable[[], Sequence[Tensor]], exact: Sequence[Tensor], *, seed: int = 0) -> list[float]:
    """The relative error that float32 may have in each result of a function that computes in float64.

    Args:
        function: computes the results anew; run `RUNS` times with drawn errors.
        exact: its results without them.
    """
    squares = torch.zeros(len(exact), dtype=torch.float64)
    for run in range(RUNS):
        with Float32Errors(seed + run):
            drawn = function()
        squares += torch.tensor([relative_error(a, b) ** 2 for a, b in zip(drawn, exact, strict=True)])
    return (MARGIN * (squares / RUNS).sqrt()).tolist()


class Float32Errors(TorchDispatchMode):
    """Within it, results of float64 operations carry errors as large as float32's, the same ones for a seed.

    An operation that is neither known as exact nor modelled raises NotImplementedError, so that a new network cannot
    pass by operations that are overlooked.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def noise(self, like: Tensor) -> Tensor:
        """Uniform in -1 to 1."""
        return 2 * torch.rand(like.shape, generator=self.generator, dtype=torch.float64) - 1

    def relative(self, value: Tensor, units: float = 1.0) -> Tensor:
        """A result that is rounded `units` times."""
        return value + units * UNIT * value * self.noise(value)

    def summed(self, total: Tensor, squares: Tensor, terms: int) -> Tensor:
        """A sum of so many terms, with the sum of their squares.

        Each partial sum is rounded. In a random order the partial sums' squares add up to terms / 3 times the total's
        square and terms / 6 times the sum of squares; orders with lanes, blocks or pairs have smaller partial sums.
        """
        scale = (total**2 * terms / 3 + squares * terms / 6 + squares + total**2).sqrt()
        return total + UNIT * scale * self.noise(total)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        plain = name.removesuffix("_")
        if plain in EXACT or not _computes(args):
            return func(*args, **kwargs)
        if name in ROUNDED or name in SUMS:
            return self.rounded(name, func, args, kwargs)
        if plain in ROUNDED:  # in place
            return args[0].copy_(self.rounded(plain, getattr(torch.ops.aten, plain), args, kwargs))
        raise NotImplementedError(f"no model of the rounding of aten.{name}; add it to EXACT, ROUNDED or SUMS")

    def rounded(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if name in ROUNDED:
            return self.relative(out, ROUNDED[name]) if out.is_floating_point() else out
        return SUMS[name](self, func, out, args, kwargs)


def _computes(args: Sequence[Any]) -> bool:
    return any(isinstance(a, Tensor) and a.is_floating_point() for a in args)


def _product(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    a, b = args
    return mode.summed(out, func(a**2, b**2), a.shape[-1])


def _added_product(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    c, a, b = args
    return mode.summed(out, func(c**2, a**2, b**2, **kwargs), a.shape[-1] + 1)


def _convolution(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    x, weight, bias, *rest = args
    squares = func(x**2, weight**2, None if bias is None else bias**2, *rest, **kwargs)
    return mode.summed(out, squares, weight[0].numel() + 1)


def _sum(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    terms = max(1, args[0].numel() // max(1, out.numel()))
    return mode.summed(out, func(args[0] ** 2, *args[1:], **kwargs), terms)


def _mean(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    terms = max(1, args[0].numel() // max(1, out.numel()))
    squares = func(args[0] ** 2, *args[1:], **kwargs) / terms  # of the terms, each divided by their number
    return mode.relative(mode.summed(out, squares, terms))


def _softmax(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    x, dim, *rest = args
    below = mode.relative(x - x.amax(dim=dim, keepdim=True))
    return mode.relative(func(below, dim, *rest, **kwargs), 4 + x.shape[dim] ** 0.5)


def _batch_norm(mode: Float32Errors, func: Any, out: Any, args: Any, kwargs: Any) -> Any:
    # With the statistics kept: x * a + b, where a and b may each be far larger than the result.
    x, weight, bias, mean, variance = args[:5]
    eps = args[-1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    gain = (variance + eps).rsqrt() * (1 if weight is None else weight)
    parts = [(x * gain.view(shape)) ** 2, ((mean * gain) ** 2).view(shape)]
    if bias is not None:
        parts.append((bias**2).view(shape))
    scale = 3 * sum(parts).sqrt()
    y = out[0] if isinstance(out, tuple) else out
    y = y + UNIT * scale * mode.noise(y)
    return (y, *out[1:]) if isinstance(out, tuple) else y


def _layer_norm(mode: Float32Errors, func: Any, out: Any, args: Any, kwargs: Any) -> Any:
    # As batch norm, where the mean and the deviation are sums of the terms at hand.
    x, shape, weight, bias = args[:4]
    y, mean, gain = out
    gain = gain if weight is None else gain * weight
    parts = [(x * gain) ** 2, (mean * gain) ** 2, torch.zeros_like(x) if bias is None else bias**2]
    units = 3 + math.prod(shape) ** 0.5
    return (y + units * UNIT * sum(parts).sqrt() * mode.noise(y), *out[1:])


def _norm(mode: Float32Errors, func: Any, out: Tensor, args: Any, kwargs: Any) -> Tensor:
    # The root of a sum of squares, all of one sign: half of the sum's relative error, and the root's.
    terms = max(1, args[0].numel() // max(1, out.numel()))
    return mode.relative(out, 2 + (terms / 3) ** 0.5)


# Results of these are rounded once, or have the accuracy of a library function of a few units.
ROUNDED: dict[str, float] = {
    "add": 1, "sub": 1, "rsub": 1, "mul": 1, "div": 1, "reciprocal": 1, "sqrt": 1, "rsqrt": 2, "pow": 2, "exp": 4,
    "tanh": 4, "sigmoid": 4, "silu": 5, "hardswish": 3, "acos": 4, "leaky_relu": 1,
}  # fmt: skip
SUMS: dict[str, Callable[..., Any]] = {
    "mm": _product, "bmm": _product, "addmm": _added_product, "convolution": _convolution, "sum": _sum, "mean": _mean,
    "_softmax": _softmax, "native_batch_norm": _batch_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "native_layer_norm": _layer_norm, "linalg_vector_norm": _norm,
}  # fmt: skip
# These move, choose or copy numbers.
EXACT = frozenset(
    {
        "view", "_unsafe_view", "reshape", "_reshape_alias", "expand", "permute", "transpose", "t", "unsqueeze",
        "squeeze", "select", "slice", "unfold", "clone", "copy", "detach", "alias", "cat", "stack", "split", "unbind",
        "split_with_sizes", "constant_pad_nd", "index", "index_select", "gather", "repeat", "relu", "hardtanh", "neg",
        "abs", "topk", "argmin", "minimum", "masked_fill", "index_put",
        "max", "amax", "clamp", "clamp_min", "max_pool2d_with_indices", "where", "floor", "lt", "ge",
        "zeros_like", "ones_like", "new_zeros", "_to_copy",
    }
)  # fmt: skip


def without_precision(network: nn.Module, layer: str, coarse: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy of a network whose one layer reads its input and keeps its weights in a coarser format."""
    result = copy.deepcopy(network)
    module = result.get_submodule(layer)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(coarse(parameter))
    module.register_forward_pre_hook(lambda m, inputs: (coarse(inputs[0]), *inputs[1:]))
    return result


def bfloat16(x: Tensor) -> Tensor:
    """As bfloat16 keeps it: 8 bits of 24."""
    return x.to(torch.bfloat16).to(x.dtype)


def tf32(x: Tensor) -> Tensor:
    """As matrix units with TensorFloat-32 read it: 11 bits of 24, the rest cut off."""
    return (x.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)
