"""HSIC beside hyppo: seconds and p-values of a permutation test; memory in blocks; a hundred thousand points."""

from __future__ import annotations

import multiprocessing
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.table import Row, in_turns

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "_build" / "peers" / "packages"
PERMUTATIONS = 100


def _pair(n: int) -> tuple[Any, Any]:
    """A wave in noise, neither hopeless nor certain."""
    import torch

    draws = torch.randn((2, n), generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return draws[0], torch.sin(3 * draws[0]) + (n / 20) ** 0.5 * draws[1]


def hsic() -> list[Row]:
    """One test with 100 permutations beside hyppo's with the same kernel, statistic and samples; then what needs no peer."""
    sys.path.append(str(PEERS))  # last, so that the environment's own packages come first
    import torch
    from hyppo.independence import Hsic

    from kexue.mathematics.hsic import median_bandwidth
    from kexue.mathematics.hsic_independence import HsicTest

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "The number of replications is low", RuntimeWarning)
    rows = []
    for n in (200, 500, 2000):
        x, y = _pair(n)
        columns = x.numpy()[:, None], y.numpy()[:, None]

        def ours(count: int, x: Any = x, y: Any = y) -> float:
            wide = median_bandwidth(x)  # hyppo takes the bandwidth of x for y too
            return HsicTest(bandwidth=(wide, wide), permutations=count)(x, y).p_value

        def theirs(count: int, columns: Any = columns) -> float:
            return float(Hsic(bias=True).test(*columns, reps=count, workers=1, auto=False, random_state=0)[1])

        seconds = in_turns([partial(ours, PERMUTATIONS), partial(theirs, PERMUTATIONS)], repeats=5 if n < 2000 else 3)
        count = 999 if n < 2000 else 199  # the peer takes minutes for 999 there
        p, q = ours(count), theirs(count)
        error = ((p * (1 - p) + q * (1 - q)) / count) ** 0.5
        note = f"p-values with {count} permutations: {p:.3f} and {q:.3f}, standard error of the difference {error:.3f}"
        rows.append(
            Row("HSIC test, 100 permutations, one thread", f"n = {n}", seconds[0], peer="hyppo 0.5.2", theirs=seconds[1], note=note)
        )
    return rows + _large()


def _blocked(n: int) -> tuple[float, float]:
    """Seconds of the blocked statistic of n points, and the bytes by which it raises the peak of the process."""
    import torch

    from kexue.mathematics.hsic_large import hsic_blocked

    torch.set_num_threads(1)
    hsic_blocked(*_pair(1000), block=256)  # what is loaded on first use is not the statistic's
    pair, before = _pair(n), _peak()
    start = time.perf_counter()
    hsic_blocked(*pair, block=256)
    took = time.perf_counter() - start
    return took, _peak() - before


def _peak() -> float:
    """The most memory in bytes this process has held; ``ru_maxrss`` would begin with what the starting process held."""
    status = Path("/proc/self/status").read_text("utf8")
    return 1024.0 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def _large() -> list[Row]:
    """The blocked statistic at n = 20,000 with its memory, the linear test at n = 100,000."""
    import torch

    from kexue.mathematics.hsic_factors import cholesky_features
    from kexue.mathematics.hsic_large import feature_test, fourier_features

    # in a process of its own: what the peers held before would hide the growth
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        took, grown = pool.submit(_blocked, 20_000).result()
    rows = [
        Row("HSIC, large samples", "statistic in blocks, n = 20,000", took),
        Row(
            "HSIC, large samples",
            "growth of memory, n = 20,000",
            grown,
            "B",
            "two full matrices",
            2.0 * 8 * 20_000**2,
            "peak of a fresh process before and after",
        ),
    ]
    x, y = _pair(100_000)
    ways = {
        "Cholesky features": lambda: (cholesky_features(x), cholesky_features(y)),
        "100 Fourier features": lambda: tuple(
            fourier_features(v, float(v.std()), 100, generator=torch.Generator().manual_seed(0)) for v in (x, y)
        ),
    }
    for name, features in ways.items():
        start = time.perf_counter()
        outcome = feature_test(*features())
        rows.append(
            Row("HSIC, large samples", f"test, n = 100,000, {name}", time.perf_counter() - start, note=f"p = {outcome.p_value:.4f}")
        )
    return rows
