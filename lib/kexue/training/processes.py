"""What several processes that train together must agree on: means, flags, and where each one's noise stands.

With a single process every function returns what it was given. The processes are those that ``torchrun`` started and Fabric joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def joined() -> bool:
    """Whether this process trains together with others."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean(values: Tensor) -> Tensor:
    """Mean of a tensor over all processes, the same to the last bit in each; a single process's own values.

    Args:
        values: of floating type, of the same shape in all processes, on the device of the training.
    """
    if not joined():
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def any_of(flags: Sequence[bool], device: torch.device | str = "cpu") -> list[bool]:
    """For each flag, whether it is raised in any process."""
    if not joined():
        return list(flags)
    raised = torch.tensor([float(f) for f in flags], device=device)
    dist.all_reduce(raised, op=dist.ReduceOp.MAX)
    return [bool(f) for f in raised.tolist()]


def gather(values: Tensor, device: torch.device | str = "cpu") -> list[Tensor]:
    """The tensor of each process, in the order of the processes, on the CPU; of the same shape in all."""
    if not joined():
        return [values.cpu()]
    here = values.to(device)
    found = [torch.empty_like(here) for _ in range(dist.get_world_size())]
    dist.all_gather(found, here)
    return [t.cpu() for t in found]


def from_first(value: Any) -> Any:
    """What the first process has; only its files need to be there when several machines train together."""
    if not joined():
        return value
    box = [value if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]
