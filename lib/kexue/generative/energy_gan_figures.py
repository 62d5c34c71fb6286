"""The still figures of the chapter on energy and GANs: pits, flows, momentum, samplers, unbounded energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kexue import figures
from kexue.generative.energy_gan import critic_slope, landscape, pits, points_cdf, relaxed_cdf
from kexue.generative.energy_gan_entropy import TwoPits, heavy_ball
from kexue.generative.energy_gan_laws import Normals

__all__ = ["flow_figure", "heights_figure", "momentum_figure", "pits_figure", "sampler_figure", "share_left"]


def pits_figure(real: Tensor, fakes: Sequence[Normals], *, lam: float = 1.0, **words: str) -> figures.Shown:
    """The best energy for r = 1 and several laws of fakes: real samples filled where they are pits.

    Args:
        real: data ``(n,)``.
        fakes: laws of the fakes, a panel each.
        lam: weight of the penalty.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    x = torch.linspace(-11, 6, 341, dtype=torch.float64)  # holds the data
    with figures.axes("text", 2.6, columns=len(fakes)) as (fig, panels):
        for ax, fake in zip(panels, fakes, strict=True):
            u = landscape(x, critic_slope(points_cdf(real, x), fake.cdf(x), torch.ones_like(x), lam))
            found = pits(real, fake.cdf(real))
            height = u[torch.searchsorted(x, real)]
            q = fake.density(x)
            ax.fill_between(x, u.min(), u.min() + 0.35 * (u.max() - u.min()) * q / q.max(), color=figures.colour("two"), alpha=0.25)
            ax.plot(x, u, color=figures.colour("fg"))
            ax.plot(real[found], height[found], "o", color=figures.colour("one"))
            ax.plot(real[~found], height[~found], "o", color=figures.colour("one"), markerfacecolor="none")
            count = int(found.sum())
            ax.set(xlabel="x", title=f"{count if count else 'no'} pit{'' if count == 1 else 's'}")
        panels[0].set_ylabel("energy U")
        return figures.show(fig, **words)


def flow_figure(
    x: Tensor, real: Normals, first: Normals, paths: Mapping[str, Tensor], times: Sequence[float], step: float, lam: float, **words: str
) -> figures.Shown:
    """Left: particles with the penalty on the fakes against the exact law; right: distance to the data for several places.

    Args:
        x: places ``(n,)``.
        real: the law of the data.
        first: the law of the first fakes.
        paths: place of the penalty → particles ``(steps + 1, N)``; one of them is ``fake``.
        times: at which the left panel shows the distribution function.
        step: time of an Euler step.
        lam: weight of the penalty.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    f_p, f_0 = real.cdf(x), first.cdf(x)
    names = {"fake": "fakes (R2)", "mixture": "both", "uniform": "everywhere"}
    with figures.axes("text", 3.1, columns=2) as (fig, (left, right)):
        left.plot(x, f_p, color=figures.colour("one"), label="data")
        for i, time in enumerate(times):
            seen = points_cdf(paths["fake"][round(time / step)], x)
            left.plot(x, seen, color=figures.colour("two"), linewidth=2.6, alpha=0.45, label="fakes" if i == 0 else None)
            left.plot(x, relaxed_cdf(f_p, f_0, lam, time), ":", color=figures.colour("fg"), label="exact" if i == 0 else None)
        left.set(xlabel="x", ylabel="share to the left", title="Penalty on the fakes")
        left.legend()
        for (where, path), role in zip(paths.items(), ("two", "three", "four"), strict=True):
            gap = torch.stack([(points_cdf(now, x) - f_p).abs().max() for now in path[::4]])
            right.semilogy(step * torch.arange(0, len(path), 4), gap, color=figures.colour(role), label=names[where])
        right.set(xlabel="time t", ylabel="largest gap between the two laws", title="How fast the fakes arrive", ylim=(0.004, 0.3))
        right.legend()
        return figures.show(fig, **words)


def share_left(land: TwoPits, *, step: float, beta: float, balls: int = 200, steps: int = 400) -> float:
    """The share of balls that end in the near pit: they start at rest, evenly spread over the slope before it."""
    x = torch.linspace(land.places[0] - 3.0, land.places[0] - 0.3, balls, dtype=torch.float64)
    return float((heavy_ball(land.slope, x, step=step, beta=beta, steps=steps)[-1] < land.crest()).double().mean())


def momentum_figure(land: TwoPits, betas: Sequence[float], shares: Mapping[float, Sequence[float]], **words: str) -> figures.Shown:
    """Left: the landscape with two pits and the stretch where balls start; right: who stays, against momentum, for several steps.

    Args:
        land: the landscape.
        betas: momenta.
        shares: size of a step → share of balls left in the near pit, one for each momentum.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    x = torch.linspace(-3.2, 5.5, 600, dtype=torch.float64)
    with figures.axes("text", 2.9, columns=2) as (fig, (left, right)):
        left.plot(x, land.energy(x), color=figures.colour("fg"))
        start = torch.linspace(land.places[0] - 3.0, land.places[0] - 0.3, 24, dtype=torch.float64)
        left.plot(start, land.energy(start), "o", color=figures.colour("two"), markersize=3.5)
        left.set(xlabel="x", ylabel="energy U", title="A near pit and a deep one")
        for (step, values), role in zip(shares.items(), ("one", "three", "two"), strict=True):
            right.plot(betas, values, "o-", color=figures.colour(role), markersize=3.5, label=f"step {step:g}")
        right.set(xlabel="momentum β", ylabel="share in the near pit", title="Who stays", ylim=(-0.03, 1.05))
        right.legend()
        return figures.show(fig, **words)


def sampler_figure(eps: Sequence[float], seen: Mapping[str, Sequence[float]], **words: str) -> figures.Shown:
    """The variance that each sampler reaches on U = x²/2 (dots) against the step, on its law (line).

    Args:
        eps: step sizes.
        seen: ``right``, ``none``, ``printed`` and ``langevin`` → variances.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    fine = torch.linspace(min(eps) * 0.9, max(eps) * 1.05, 200, dtype=torch.float64)
    laws = {
        "right": (torch.ones_like(fine), "one", "corrected: 1"),
        "langevin": (1 / (1 - fine / 4), "three", "uncorrected: 1/(1 − ε/4)"),
        "printed": (4 / (3 * fine), "two", "as printed: 4/3ε"),
        "none": (1 / (2 - fine / 4), "four", "no proposal density: 1/(2 − ε/4)"),
    }
    with figures.axes("text", 3.2) as (fig, ax):
        for key, (law, role, label) in laws.items():
            ax.loglog(fine, law, color=figures.colour(role), label=label)
            ax.loglog(eps, seen[key], "o", color=figures.colour(role), markersize=5)
        ax.set(xlabel="step ε", ylabel="variance of the chain (target: 1)")
        ax.legend(ncols=2)
        return figures.show(fig, **words)


def heights_figure(runs: Mapping[str, Tensor], **words: str) -> figures.Shown:
    """The height of the energy during the digging, for losses and places of the penalty.

    Args:
        runs: label → largest magnitude of U after each step.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.1) as (fig, ax):
        for (label, height), role in zip(runs.items(), ("two", "five", "four", "three", "one"), strict=False):
            ax.semilogy(torch.arange(1, len(height) + 1), height, color=figures.colour(role), label=label)
        ax.set(xlabel="step of the energy", ylabel="largest |U|", ylim=(0.3, None))
        ax.legend(ncols=2)
        return figures.show(fig, **words)
