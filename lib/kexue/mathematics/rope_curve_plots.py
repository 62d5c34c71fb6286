"""The still figures of the chapter on the skipping rope; each draws what the chapter computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kexue import figures
from kexue.mathematics.rope_curve import (
    FITS,
    Descent,
    PoleRope,
    RopeCurve,
    Spin,
    apex_of_length,
    catenary,
    chain_nodes,
    critical_speeds,
    equilibrium_residual,
    pole_branch,
    stand_in,
    troposkein,
)

__all__ = ["descent_figure", "fits_figure", "pole_figure", "posted_figure", "saddle_figure", "shapes_figure"]

Array = NDArray[np.float64]
COLOURS = {ratio: role for ratio, role in zip((1.05, 1.5, 2.0, 3.0, 4.0), ("six", "three", "one", "four", "five"), strict=True)}


def shapes_figure() -> figures.Shown:
    """Troposkeins of five slacks, and four curves of the same length."""
    y = np.linspace(0.0, 1.0, 201)
    with figures.axes("text", 3.1, columns=2, width_ratios=(1.25, 1)) as (fig, (left, right)):
        for ratio, role in COLOURS.items():
            rope = troposkein(ratio)
            left.plot(y, rope.x(y), color=figures.colour(role))
            left.annotate(f"L = {ratio:g} D", (0.5, rope.apex), (0, 3), textcoords="offset points", ha="center", color=figures.colour(role))
        left.set(xlabel="along the axis, y / D", ylabel="from the axis, x / D", title="Troposkeins", ylim=(0, 2.1))
        right.plot(y, troposkein(2.0).x(y), color=figures.colour("one"), label="troposkein")
        hang = catenary(y - 0.5, 2.0, 1.0)
        right.plot(y, hang.max() - hang, color=figures.colour("two"), label="catenary, upside down")
        right.plot(y, apex_of_length("sine", 2.0) * stand_in("sine", y), "--", color=figures.colour("three"), label="sine")
        right.plot(y, apex_of_length("parabola", 2.0) * stand_in("parabola", y), ":", color=figures.colour("fg"), label="parabola")
        right.set(xlabel="y / D", title="Four curves of length 2 D", ylim=(0, 1.3))
        right.legend(loc="upper center", ncols=2, columnspacing=1)
        return figures.show(
            fig,
            name="fig-rope-shapes",
            alt="Spinning ropes get rounder with slack; at length twice the span the troposkein lies between the catenary and the sine",
            caption="Left: one curve for each slack $L/D$, at any speed. Right: with $L=2D$ it lies between the upturned "
            "catenary, which is blunter, and the sine, which is more pointed; a parabola of the same length comes closest.",
        )


def descent_figure(chains: Mapping[int, Descent], spin: Spin) -> figures.Shown:
    """A coarse chain over the closed form, and the error against the number of links."""
    rope = troposkein(spin.length, spin.span or 1.0)
    y = np.linspace(0.0, rope.span, 201)
    links = sorted(chains)
    error = []
    for n in links:
        nodes_x, nodes_y = (v.numpy() for v in chain_nodes(chains[n].theta, spin))
        error.append(float(np.abs(nodes_x - rope.x(nodes_y)).max()) / rope.span)
    coarse_x, coarse_y = (v.numpy() for v in chain_nodes(chains[links[0]].theta, spin))
    with figures.axes("text", 2.9, columns=2) as (fig, (left, right)):
        left.plot(y, rope.x(y), color=figures.colour("one"), label="closed form")
        left.plot(coarse_y, coarse_x, "o-", color=figures.colour("two"), linewidth=1, label=f"{links[0]} links, by descent")
        left.set(xlabel="y / D", ylabel="x / D", title="The chain at rest", ylim=(0, 1.05))
        left.legend(loc="lower center")
        right.loglog(links, error, "o-", color=figures.colour("two"), label="largest error / D")
        right.loglog(links, error[0] * (links[0] / np.array(links)) ** 2, "--", color=figures.colour("muted"), label="slope −2")
        right.set(xlabel="links N", title="Error against the closed form")
        right.set_xticks(links, [str(n) for n in links])
        right.minorticks_off()
        right.legend()
        return figures.show(
            fig,
            name="fig-rope-descent",
            alt="A chain brought to rest by gradient descent lies on the closed form; the error falls as the square of the link number",
            caption="Gradient descent on link angles finds the troposkein: the coarse chain (left) lies on the closed form, "
            "and the error of its nodes falls as $N^{-2}$.",
        )


def pole_figure(ropes: Mapping[float, Sequence[PoleRope]]) -> figures.Shown:
    """The three first branches with their thresholds, and the ropes at some speeds."""
    roles = ("one", "two", "three")
    with figures.axes("text", 3.4, columns=2, width_ratios=(1.35, 1)) as (fig, (left, right)):
        for mode, role in enumerate(roles, 1):
            speed, tip = pole_branch(mode, np.geomspace(0.03, 32.0, 40))
            for sign in (1, -1):
                left.plot(speed, sign * tip, color=figures.colour(role), label=f"shape {mode}" if sign > 0 else None)
            threshold = float(critical_speeds(mode, gravity=1.0)[-1])
            left.axvline(threshold, color=figures.colour("muted"), linestyle=":", linewidth=1)
            left.text(threshold + (0.06 if mode > 1 else -0.06), -0.8, f"{threshold:.4f}", ha="left" if mode > 1 else "right", fontsize=8)
        left.plot([0, 5.7], [0, 0], color=figures.colour("fg"), linewidth=1)
        left.set(xlim=(0, 5.7), ylim=(-1.05, 1.05), xlabel="ω √(L/g)", ylabel="free end, x₀ / L", title="Branches")
        left.legend(loc=(0.62, 0.68))
        for style, (omega, found) in zip(("-", "--", ":"), ropes.items(), strict=False):
            for rope, role in zip(found, roles, strict=False):
                right.plot(rope.x, rope.y, style, color=figures.colour(role))
            right.plot([], [], style, color=figures.colour("fg"), label=f"ω = {omega:g}")
        right.axvline(0.0, color=figures.colour("muted"), linewidth=0.8)
        right.set(xlabel="x in m", ylabel="y in m", title="Ropes of one metre", aspect="equal", xlim=(-0.25, 1.02))
        right.legend(loc="lower right")
        return figures.show(
            fig,
            name="fig-rope-branches",
            alt="The free end leaves the axis along three branches, one from each Bessel threshold; ropes of the second have a node",
            caption="Left: each threshold $j_{0,n}/2$ (dotted) sends out a branch, so the number of shapes goes up by one. Right: the "
            "ropes themselves at rates in rad/s; colour tells the branch.",
        )


def posted_figure(posted: RopeCurve, mended: RopeCurve, true: RopeCurve, omega: float, gravity: float) -> figures.Shown:
    """The curve of the post, its mended version, and a rope with the multiplier: place, left-over force, tension."""
    three = (("as posted", posted, "two"), ("components put right", mended, "five"), ("with the multiplier", true, "one"))
    with figures.axes("text", 3.1, columns=3) as (fig, (place, force, pull)):
        for label, curve, role in three:
            phi = 0.5 * omega**2 * curve.x**2 - gravity * curve.y
            mu = float(phi[0]) + 2.0 if curve is true else 0.0  # the rope is given a tension of 2 where it starts
            left = equilibrium_residual(curve.s, curve.x, curve.y, mu - phi, omega=omega, gravity=gravity)
            place.plot(curve.x, curve.y, color=figures.colour(role), label=label)
            force.semilogy(curve.s[2:-2], np.hypot(*left), color=figures.colour(role))
            pull.plot(curve.s, mu - phi, color=figures.colour(role))
        place.set(xlabel="x", ylabel="y", title="Curve", aspect="equal")
        fig.legend(*place.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        force.set(xlabel="s", title="Force left over")
        pull.axhline(0.0, color=figures.colour("fg"), linewidth=0.8)
        pull.set(xlabel="s", title="Tension", ylim=(-3.2, 4.4))
        return figures.show(
            fig,
            name="fig-rope-posted",
            alt="The posted curve leaves a force of seven; the mended one none, but is in compression; with the multiplier it is a rope",
            caption="The curve of the post leaves a large force unbalanced; exchanging its components cures that. Its tension $-\\varphi$ "
            "stays below zero: an arch, not a rope. With the multiplier, from the same point in the same direction, it is a rope.",
        )


def saddle_figure(run: Descent, spin: Spin, levels: Mapping[str, float]) -> figures.Shown:
    """Energy along descent from the two-lobe saddle, with the levels of the equilibria, and the rope on the way."""
    energy = run.history.numpy()
    with figures.axes("text", 2.7) as (fig, ax):
        ax.plot(np.arange(1, energy.size + 1), energy, color=figures.colour("one"))
        for (label, level), role in zip(levels.items(), ("two", "three"), strict=False):
            ax.axhline(level, color=figures.colour(role), linestyle="--", linewidth=1.2)
            ax.annotate(label, (energy.size, level), (-4, 4), textcoords="offset points", ha="right", color=figures.colour(role))
        ax.set(xlabel="gradient step", ylabel="energy E", title="Descent from the two-lobe rope", xlim=(0, energy.size))
        ax.margins(y=0.15)
        return figures.show(
            fig,
            name="fig-rope-saddle",
            alt="The energy rests on a plateau at the two-lobe saddle and then falls to the level of the one-lobe rope",
            caption="A disturbance of one thousandth of a radian is enough: descent lingers on the plateau of the two-lobe rope, a "
            "saddle, then leaves it for the one-lobe rope.",
        )


def fits_figure(ratios: Array, errors: Mapping[str, Sequence[float]]) -> figures.Shown:
    """Error of the stand-ins against the slack."""
    names: dict[str, Any] = dict(zip(FITS, ("three", "fg", "two"), strict=True))
    with figures.axes("text", 2.9) as (fig, ax):
        for kind, role in names.items():
            ax.semilogy(ratios, 100 * np.asarray(errors[kind]), color=figures.colour(role), label="best cubic" if kind == "cubic" else kind)
        ax.set(xlabel="slack L / D", ylabel="largest error, % of the height", xlim=(1, float(ratios[-1])))
        ax.set_yticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
        ax.minorticks_off()
        ax.legend()
        return figures.show(
            fig,
            name="fig-rope-fits",
            alt="A sine is best for a nearly taut rope, a parabola near slack 1.8, a cubic stays near one per cent",
            caption="Which simple curve stands in for the troposkein depends on the slack: the sine is right when taut, the parabola "
            "near $L=1.8D$, and a cubic on each half is off by about 1 % everywhere.",
        )
