"""What makes a training faster, and says so when it cannot: number formats, compiled networks, the layout of images.

None of it is on by itself: each changes the last bits of a result. When it pays is a matter of measurement (``benchmarks/``): on a CPU
bf16 is an emulation for most processors and slower than float32; a compiled network pays where it is large or its steps are many.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")
#: words for ``--compile``, and the mode of ``torch.compile`` that each stands for; ``graphs`` records CUDA graphs
COMPILE: dict[str, str | None] = {"off": None, "default": "default", "graphs": "reduce-overhead"}


class SlowerWarning(UserWarning):
    """Something that was asked for to be faster is not to be had here; the training goes on without it."""


def check_precision(precision: str, device: str) -> str:
    """Return the precision if the device has it.

    Raises:
        ValueError: if the word is unknown, or the device has no such numbers: a result must not be of another precision than it says.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"the precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "16-mixed" and device == "cpu":
        raise ValueError("16-mixed needs a GPU: on a CPU use bf16-mixed or 32-true")
    if precision == "bf16-mixed" and device == "cpu" and (reason := why_not_bf16()):
        raise ValueError(f"bf16 does not work on this CPU ({reason}): use 32-true, or try with ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16")
    if precision == "bf16-mixed" and device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ValueError(f"{torch.cuda.get_device_name()} has no bf16: use 16-mixed or 32-true")
    return precision


_BF16 = "import torch; torch.nn.functional.linear(torch.ones(64, 784).bfloat16(), torch.ones(256, 784).bfloat16())"


@cache
def why_not_bf16() -> str:
    """Multiply two matrices of bf16 in another process; return how it failed, or nothing if it works.

    A virtual machine may announce matrix instructions that it does not let a process use: the process then dies of SIGILL.
    """
    done = subprocess.run([sys.executable, "-c", _BF16], capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return f"a matrix product ends with {signal.Signals(-done.returncode).name}"
    return (done.stderr.strip().splitlines() or ["no message"])[-1] if done.returncode else ""


def compiled(model: nn.Module, mode: str, device: torch.device | str) -> nn.Module:
    """The model compiled, or as it is where the compiler does not work.

    Args:
        model: stays as it is: it shares its weights with what is returned, and can be judged uncompiled.
        mode: a word of ``COMPILE``.
        device: where it will run.

    Returns:
        A module with the same weights.

    Raises:
        ValueError: if the mode is unknown.
    """
    if mode not in COMPILE:
        raise ValueError(f"compile must be one of {', '.join(COMPILE)}, got {mode!r}")
    if mode == "off":
        return model
    if mode == "graphs" and torch.device(device).type != "cuda":
        warnings.warn("CUDA graphs need a GPU: the network is compiled without them", SlowerWarning, stacklevel=2)
        mode = "default"
    if reason := why_not_compile(str(device)):
        warnings.warn(f"torch.compile does not work here ({reason}): the training goes on uncompiled", SlowerWarning, stacklevel=2)
        return model
    made: Any = torch.compile(model, mode=COMPILE[mode])
    return made  # type: ignore[no-any-return]


@cache
def why_not_compile(device: str) -> str:
    """Compile a function of one line; return the first line of the error, or nothing if it works."""
    try:
        # Older versions of the compiler warn about themselves; what counts is whether the answer is right.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function: Any = torch.compile(_one_line)
            one = torch.ones(3, device=device)
            return "" if torch.allclose(function(one), _one_line(one)) else "its answer is wrong"
    except Exception as error:  # the compiler raises whatever its parts raise
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"


def _one_line(x: Tensor) -> Tensor:
    return (x * 2).sin() + 1


def has_images(model: nn.Module) -> bool:
    """Whether a model has convolutions over images, which the layout "channels last" can help."""
    return any(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in model.modules())


def laid_out(tensor: Tensor) -> Tensor:
    """A tensor of images ``(B, C, H, W)`` with the channels last in memory; others as they are."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
