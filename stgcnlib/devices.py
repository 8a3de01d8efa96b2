"""Where networks and distances are computed: the device that a caller names, or the processor where there is none."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from stgcnlib.errors import DeviceError

if TYPE_CHECKING:
    import torch

__all__ = ["usable_device"]


def usable_device(name: str | torch.device) -> torch.device:
    """The device of that name, for example "cuda" or "cuda:1".

    Where this machine has no device of that kind it is the processor, and a UserWarning says so (once per process):
    a study file serves machines with and without a GPU.

    Raises:
        DeviceError: torch knows no such device, or this machine has fewer of them.
    """
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device={str(name)!r} is no device of torch; give 'cpu', 'cuda', or 'cuda:1'") from error
    if device.type == "cpu":
        return device
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None or found.type != device.type:
        here = "torch finds none here" if found is None else f"torch finds {found.type!r} here"
        if device.type == "cuda" and torch.version.cuda is None and torch.version.hip is None:
            here = "this torch is built without it (https://pytorch.org/get-started has others)"
        warnings.warn(f"device={str(name)!r}: {here}; the processor is used instead", stacklevel=1)
        return torch.device("cpu")
    count = torch.accelerator.device_count()
    if device.index is not None and device.index >= count:
        raise DeviceError(f"device={str(name)!r}: this machine has {count} of them, counted from 0")
    return device
