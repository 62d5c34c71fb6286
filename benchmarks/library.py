"""Speed of the library beside its peers: imports, Gumbel-softmax draws, the troposkein, reading a data set."""

from __future__ import annotations

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.table import Row, in_turns

ROOT = Path(__file__).resolve().parents[1]
GROUND = ("datasets", "derivation", "explorer", "figures", "records", "training")


def modules() -> list[str]:
    """The ground floor and every chapter's module that is there."""
    lib = ROOT / "lib" / "kexue"
    there = [f"kexue.{name}" for name in GROUND if (lib / name / "__init__.py").is_file() or (lib / f"{name}.py").is_file()]
    for part in sorted(p for p in lib.iterdir() if p.is_dir() and p.name not in GROUND and (p / "__init__.py").is_file()):
        found = {p.stem if p.suffix else p.name for p in part.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
        plain = [n for n in sorted(found) if not n.startswith("_") and not any(n.startswith(other + "_") for other in found if other != n)]
        there += [f"kexue.{part.name}.{name}" for name in plain]
    return there


def imports(repeats: int = 5) -> list[Row]:
    """Seconds from nothing to imported, in fresh processes taken in turns, beside PyTorch alone; the bare interpreter is taken off."""
    statements = {"": "pass", "torch": "import torch", "numpy": "import numpy", **{m: f"import {m}" for m in modules()}}
    times: dict[str, list[float]] = {name: [] for name in statements}
    env = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "OMP_NUM_THREADS": "1"}
    for turn in range(repeats + 1):
        for name, code in statements.items():
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{code} failed:\n{done.stderr[-1000:]}")
            if turn:  # the first round only warms the disk cache
                times[name].append(time.perf_counter() - start)
    bare = statistics.median(times.pop(""))
    median = {name: max(statistics.median(values) - bare, 0.0) for name, values in times.items()}
    torch, _ = median.pop("torch"), median["numpy"]
    group = f"import, median of {repeats} fresh processes, less the bare interpreter"
    return [Row(group, name, value, peer="import torch", theirs=torch) for name, value in median.items()]


def gumbel_softmax() -> list[Row]:
    """A relaxed draw forwards and backwards beside torch.nn.functional.gumbel_softmax on the same logits, one thread."""
    import torch
    from torch.nn import functional

    from kexue.mathematics import gumbel_softmax as ours

    torch.set_num_threads(1)
    rows = []
    for shape in ((64, 20, 10), (4096, 10), (128, 1000), (16, 32000)):
        logits = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        pairs: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
            "relaxed": (lambda x: ours.gumbel_softmax(x, 0.7), lambda x: functional.gumbel_softmax(x, tau=0.7)),
            "hard": (lambda x: ours.gumbel_softmax(x, 0.7, hard=True), lambda x: functional.gumbel_softmax(x, tau=0.7, hard=True)),
        }
        for kind, pair in pairs.items():
            ours_s, theirs_s = in_turns([_both_ways(draw, logits, weight) for draw in pair])
            size = "×".join(map(str, shape))
            rows.append(
                Row("Gumbel-softmax, forwards and backwards", f"{kind} {size}", ours_s, peer="torch.nn.functional", theirs=theirs_s)
            )
    return rows


def _both_ways(draw: Callable[..., Any], logits: Any, weight: Any) -> Callable[[], None]:
    def run() -> None:
        logits.grad = None
        (draw(logits) * weight).sum().backward()

    return run


def troposkein() -> list[Row]:
    """201 points of the skipping rope by the closed form, beside shooting and collocation on SciPy's solvers."""
    import numpy as np

    from kexue.mathematics.rope_curve import shoot_troposkein
    from kexue.mathematics.rope_curve import troposkein as closed

    def by_formula(ratio: float, s: Any) -> Any:
        return closed(ratio, 1.0).at_arclength(s)[0]

    def by_shooting(ratio: float, s: Any) -> Any:
        return shoot_troposkein(ratio, 1.0, samples=len(s)).x

    rows = []
    for ratio in (1.2, 2.0, 4.0):
        s = np.linspace(0.0, ratio, 201)
        ways = {"closed": by_formula, "shooting (solve_ivp, root)": by_shooting, "collocation (solve_bvp)": _collocation}
        calls: dict[str, Callable[[], Any]] = {name: partial(way, ratio, s) for name, way in ways.items()}
        exact = calls["closed"]()
        times = dict(zip(calls, in_turns(list(calls.values()), repeats=3), strict=True))
        for name in list(calls)[1:]:
            off = float(np.max(np.abs(np.abs(calls[name]()) - exact)))
            rows.append(
                Row(
                    "troposkein, 201 points",
                    f"closed form, L/D = {ratio}",
                    times["closed"],
                    peer=name,
                    theirs=times[name],
                    note=f"peer off by {off:.0e}",
                )
            )
    return rows


def _collocation(ratio: float, s: Any) -> Any:
    """x at arc lengths s of the rope of length `ratio` on span 1: the force balance as a boundary-value problem, omega = 1."""
    import numpy as np
    from scipy.integrate import solve_bvp

    def slope(_: Any, z: Any) -> Any:
        x, _y, u, v = z
        tension = np.hypot(u, v)
        return np.stack([u / tension, v / tension, -x, np.zeros_like(x)])

    def ends(a: Any, b: Any) -> Any:
        return np.array([a[0], a[1], b[0], b[1] - 1.0])

    height, pull = 0.45 * np.sqrt(ratio**2 - 1), (ratio / np.pi) ** 2 / ratio
    bow = np.sin(np.pi * s / ratio)
    guess = np.stack([height * bow, s / ratio, height * ratio / np.pi * np.cos(np.pi * s / ratio), np.full_like(s, pull)])
    found = solve_bvp(slope, ends, s, guess, tol=1e-9, max_nodes=20_000)
    if not found.success:
        raise RuntimeError(f"collocation failed at L/D = {ratio}: {found.message}")
    return found.sol(s)[0]


def reading() -> list[Row]:
    """A whole data set into tensors with its hash checked, beside reading its four gzipped IDX files unchecked, as loaders do."""
    import numpy as np
    import torch

    from kexue import datasets

    data = datasets.load("fashion-mnist")
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, part in (("images", data.images.numpy()), ("labels", data.labels.numpy().astype(np.uint8))):
            head = bytes([0, 0, 8, part.ndim]) + b"".join(n.to_bytes(4, "big") for n in part.shape)
            files.append((Path(folder, name), part.ndim))
            files[-1][0].write_bytes(gzip.compress(head + part.tobytes(), 6))

        def plain() -> list[Any]:
            return [torch.from_numpy(np.frombuffer(gzip.decompress(f.read_bytes()), np.uint8, offset=4 + 4 * n).copy()) for f, n in files]

        ours, theirs = in_turns([lambda: datasets.load("fashion-mnist"), plain], repeats=5)
    return [Row("reading a data set", "fashion-mnist, hash checked", ours, peer="gzipped IDX, unchecked", theirs=theirs)]
