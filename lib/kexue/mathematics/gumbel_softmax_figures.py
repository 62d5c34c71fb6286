"""The explorers of the chapter on Gumbel-softmax: "Temperature" and "Where the score function wins"."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import ipywidgets as w
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc
from torch import Tensor

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics.gumbel_softmax import gumbel_noise
from kexue.mathematics.gumbel_softmax_laws import sine_crossing, sine_variances

if TYPE_CHECKING:
    from kexue.mathematics.gumbel_softmax_vae import DiscreteVAE

__all__ = ["code_flip", "simplex_moments", "sine_race", "temperature"]

Array = NDArray[np.float64]
DRAWS = 500
POINTS = 4096
EDGES = np.geomspace(1e-3, 6, 37)


@cache
def _points(count: int, dimensions: int) -> Array:
    """A low-discrepancy set of standard Gumbel draws ``(count, dimensions)``."""
    uniform = qmc.Sobol(dimensions, seed=5).random(count).clip(1e-12, 1 - 1e-12)
    return np.asarray(-np.log(-np.log(uniform)))


def simplex_moments(tau: float, a: float, b: float) -> dict[str, Array | float]:
    """Moments of a relaxed draw with logits ``(a, b, 0)`` and of the derivative of its first coordinate in ``a``.

    A derivative that is a rare spike has a poor sample mean. So given the other two draws the first is integrated out over
    :math:`s=\\mathrm{logit}\\,y_1`, in which the spike is wide: :math:`G_1=\\tau s+L-a` with the soft maximum L of the others.

    Returns:
        ``soft_mean`` (3,): :math:`E[y]`; ``grad_mean`` and ``grad_sd``: of :math:`\\partial y_1/\\partial a`; ``peaked``: percentage
        of draws whose largest coordinate exceeds 0.95.
    """
    logits = (_points(POINTS, 3) + np.array([a, b, 0.0])) / tau
    y = np.exp(logits - logits.max(1, keepdims=True))
    y /= y.sum(1, keepdims=True)
    peaked = 100 * float((y.max(1) > 0.95).mean())
    step = 0.4 / max(1.0, tau)
    s = step * np.arange(-63, 64)  # (S,)
    others = _points(256, 2) + np.array([b, 0.0])
    gumbel = tau * s + tau * np.logaddexp(others[:, :1] / tau, others[:, 1:] / tau) - a  # (N, S)
    density = np.exp(-gumbel - np.exp(-np.maximum(gumbel, -7.0))).mean(0) * tau * step  # of s; below -7 it is 0
    slope = 1 / (4 * tau * np.cosh(s / 2) ** 2)  # y(1 - y) / tau
    mean, second = float(density @ slope), float(density @ slope**2)
    return {"soft_mean": y.mean(0), "grad_mean": mean, "grad_sd": math.sqrt(second - mean**2), "peaked": peaked}


_TEMPERATURE = {
    "o": "a * e1 + b * e2",
    "prob": "softmax(o)",
    "perturbed": "noise + o",
    "relaxed": "softmax(perturbed / tau)",
    # hard draws sit in the corners; a small remainder of a fixed soft draw keeps them countable
    "shown": "where(hard, 0.93 * onehot(perturbed) + 0.07 * softmax(perturbed), relaxed)",
    "winner": "argmax(perturbed)",
    "frequency": "mean(winner == 0) * e1 + mean(winner == 1) * e2 + mean(winner == 2) * e3",
    "forward_mean": "where(hard, prob, soft_mean)",
    "weighted": "o - tau * log_lattice",
    "top": "max(weighted)",
    "log_sum": "top + log(sum(exp(weighted - column(top))))",
    "log_density": "log(2) + 2 * log(tau) - 3 * log_sum + sum(weighted - log_lattice)",
    "density": "where(hard, -2, minimum(maximum(log_density, -2), 3.5))",
    "first": "take(relaxed, 0)",
    "slope": "maximum(first * (1 - first) / tau, 0.00101)",
    "counts": "100 * mean((column(low) <= slope) * (slope < column(high)))",
    "exact": "take(prob, 0) * (1 - take(prob, 0))",
    "bias": "100 * (grad_mean - exact) / exact",
    "ratio": "grad_sd / exact",
    "spike": "1 / (4 * tau)",
    "mean_gap": "take(forward_mean, 0) - take(prob, 0)",
    "prob1": "take(prob, 0)",
    "forward1": "take(forward_mean, 0)",
}


def _temperature_panels() -> list[object]:
    """The triangle, the three means, the spikes and the read-outs."""
    marks = (("prob", "p", "text"), ("forward_mean", "E[y]", "four"))
    return [
        p.Simplex(
            "shown", corners=("1", "2", "3"), classes="winner", density="density", range=(-2, 3.5), marks=marks, height=360, width=0.5,
            title="500 draws over the log-density", alt="Relaxed draws move from the corners to the centre as the temperature rises",
        ),
        p.Bars(
            ["prob", "frequency", "forward_mean"], categories=("class 1", "class 2", "class 3"), y_range=(0, 1), height=360, width=0.5,
            labels=("softmax(logits)", "share of argmax", "E[y]"), colours=("six", "five", "four"), title="Which class, and how much of it",
            alt="The share of each class as the largest coordinate does not depend on the temperature; the mean coordinate does",
        ),
        p.Histogram(
            "counts", EDGES, colour="one", x_log=True, x_range=(1e-3, 6), y_range=(0, 100), width=0.62, xlabel="∂y₁/∂a of one draw",
            ylabel="% of 500 draws", title="The gradient's samples (≤ 0.001 in the first bar)",
            marks=[p.Mark(x="exact", label="exact", colour="text", dashed=False), p.Mark(x="grad_mean", label="mean", colour="four"),
                   p.Mark(x="spike", label="1/4τ", colour="muted")],
            alt="At low temperature most samples vanish and a few are large spikes; the mean stays near the exact derivative",
        ),
        p.Text([
            ("bias of the gradient", "{bias:.1f} %"), ("sd of one sample / exact", "{ratio:.2f}"),
            ("mean of y₁ − probability", "{mean_gap:.3f}"), ("draws with a coordinate > 0.95", "{peaked:.0f} %"),
        ], width=0.38, title="Read-outs"),
    ]  # fmt: skip


def temperature() -> Explorer:
    """Five hundred relaxed draws on the triangle, their density, their means, and what their gradients are worth.

    The same Gumbel draws serve every state, so each dot moves continuously. Dots, density and histogram are formulas that the page
    evaluates exactly; only the means of the read-outs come from a grid.
    """
    noise = gumbel_noise((DRAWS, 3), generator=torch.Generator().manual_seed(6705), dtype=torch.float64)
    controls = {
        # 1 is one of its steps: a slider that starts beside them jumps at the first touch
        "tau": w.FloatLogSlider(value=1.0, min=-1.32, max=0.7, step=0.02, description="temperature τ", readout_format=".2f"),
        "a": w.FloatSlider(value=1.0, min=-2, max=2, step=0.1, description="logit of class 1", readout_format=".1f"),
        "b": w.FloatSlider(value=0.0, min=-2, max=2, step=0.1, description="logit of class 2", readout_format=".1f"),
        "hard": w.ToggleButtons(options=[("soft", 0), ("hard (straight-through)", 1)], value=0, description="forward pass"),
    }
    presets = {
        "Nearly one-hot": {"tau": 0.1}, "Spikes": {"tau": 0.05}, "Jang's 0.5": {"tau": 0.5}, "Nearly uniform": {"tau": 5.0},
        "Equal logits": {"tau": 1.0, "a": 0.0, "b": 0.0}, "A rare class": {"tau": 0.5, "a": -2.0, "b": 1.0},
        "Straight-through": {"tau": 1.0, "hard": 1},
    }  # fmt: skip
    eye = np.eye(3)
    return Explorer(
        simplex_moments,
        controls=controls,
        grid={"tau": 24, "a": 9, "b": 9},
        panels=_temperature_panels(),
        derived=_TEMPERATURE,
        constants={
            "noise": noise,
            "log_lattice": np.log(p.lattice(36)),
            "low": EDGES[:-1],
            "high": EDGES[1:],
            **{f"e{i + 1}": eye[i] for i in range(3)},
        },
        interpolate=True,
        presets=presets,
        marks={"tau": {0.5: "1/(k−1)", 1.0: "1", 2.0: "k−1"}},
        sentence=(
            "At τ = {tau:.2f} the mean of y₁ is {forward1:.3f}, its probability {prob1:.3f}; the gradient is off by {bias:.1f} % on "
            "average and one sample scatters by {ratio:.2f} times the exact value; {peaked:.0f} % of soft draws are nearly one-hot."
        ),
        title="Temperature",
        name="temperature",
        alt="Gumbel-softmax draws on a triangle: lowering the temperature drives them into the corners, removes the gradient's bias "
        "and makes its samples rare spikes",
    )


def sine_race() -> Explorer:
    """The two gradient estimators of a sine under the normal law, and the frequency at which their variances cross."""
    grid = torch.linspace(0.05, 4, 160, dtype=torch.float64)
    pathwise, score = (v.numpy() for v in sine_variances(grid))
    draws = torch.randn(200, generator=torch.Generator().manual_seed(6705), dtype=torch.float64).sort().values.numpy()
    z = np.linspace(-3.5, 3.5, 281)
    derived = {
        "path_curve": "freq * cos(freq * z)", "score_curve": "z * sin(freq * z)", "path_dots": "freq * cos(freq * draws)",
        "score_dots": "draws * sin(freq * draws)", "exact": "freq * exp(0 - freq**2 / 2)",
        "path_var": "freq**2 * (0.5 * (1 + exp(0 - 2 * freq**2)) - exp(0 - freq**2))",
        "score_var": "0.5 * (1 - (1 - 4 * freq**2) * exp(0 - 2 * freq**2)) - freq**2 * exp(0 - freq**2)",
        "times": "maximum(path_var, score_var) / minimum(path_var, score_var)",
    }  # fmt: skip
    crossing = sine_crossing()
    return Explorer(
        lambda: {},
        controls={"freq": w.FloatSlider(value=0.6, min=0.1, max=4, step=0.02, description="frequency w", readout_format=".2f")},
        panels=[
            p.Curves(
                p.Line(pathwise, grid.numpy(), colour="one", label="pathwise"),
                p.Line(score, grid.numpy(), colour="two", label="score function"),
                dots=[p.Dots(x="freq", y="path_var", colour="one", size=10), p.Dots(x="freq", y="score_var", colour="two", size=10)],
                marks=[(crossing, "cross at 1.109")], x_range=(0, 4), y_range=(0, 8), xlabel="frequency w", ylabel="variance",
                title="Variance of one sample",
                alt="The pathwise variance starts below the score function's, crosses it at 1.109 and grows without bound",
            ),
            p.Plane(
                layers=[
                    p.Line("path_curve", z, colour="one", opacity=0.4), p.Line("score_curve", z, colour="two", opacity=0.4),
                    p.Dots(x=draws, y="path_dots", colour="one", size=4, label="w cos wz"),
                    p.Dots(x=draws, y="score_dots", colour="two", size=4, label="z sin wz"),
                    p.Mark(y="exact", label="exact gradient", colour="text"),
                ],
                x_range=(-3.5, 3.5), y_range=(-4.2, 4.2), xlabel="draw z", ylabel="gradient sample", title="Two hundred samples of each",
                alt="At a high frequency the pathwise samples swing by the frequency, the score samples by the size of the draw",
            ),
        ],
        derived=derived,
        constants={"z": z, "draws": draws},
        marks={"freq": {crossing: "1.109"}},
        presets={"Slow wave": {"freq": 0.3}, "The crossing": {"freq": crossing}, "Fast wave": {"freq": 3.0}},
        sentence=(
            "At w = {freq:.2f} the exact gradient is {exact:.3f}; one pathwise sample has variance {path_var:.3f}, "
            "one score-function sample {score_var:.3f}: a ratio of {times:.1f}."
        ),
        title="Where the score function wins",
        name="sine-race",
        alt="For the mean of sin(wz) the pathwise gradient has less variance below the frequency 1.109 and more above it",
    )  # fmt: skip


def code_flip(model: DiscreteVAE, images: Tensor, labels: list[str], *, latents: int = 6) -> Explorer:
    """Change one categorical latent of a digit's code and see what the decoder makes of it.

    Args:
        model: a trained autoencoder.
        images: ``(N, 28, 28)``.
        labels: what the N images are called.
        latents: how many latents to offer, those whose change alters the pictures most.
    """
    from kexue.mathematics.gumbel_softmax_experiments import code_flip as flip
    from kexue.mathematics.gumbel_softmax_experiments import code_of

    pictures = np.stack([[flip(model, image, latent) for latent in range(model.latents)] for image in images]) / 255.0  # (N, L, k, 28, 28)
    change = pictures.std(2).mean((0, 2, 3))  # (L,)
    chosen = [int(latent) for latent in np.argsort(-change)[:latents]]
    codes = [code_of(model, image) for image in images]

    def f(image: int, latent: int) -> dict[str, Array | float]:
        place = chosen[latent]
        return {
            "pictures": pictures[image, place],
            "own": float(codes[image][place]),
            "number": float(place),
            "moved": 100 * float(change[place]),
        }

    return Explorer(
        f,
        controls={
            "image": w.ToggleButtons(options=[(label, i) for i, label in enumerate(labels)], value=0, description="digit"),
            "latent": w.SelectionSlider(
                options=[(f"latent {latent}", i) for i, latent in enumerate(chosen)], value=0, description="change"
            ),
        },
        panels=[
            p.Strip(
                "pictures", labels=[f"class {i}" for i in range(model.classes)], columns=5, title="The decoder's picture for each class"
            )
        ],
        sentence="Latent {number:.0f} of this digit stands at class {own:.0f}; its ten settings move a pixel by {moved:.1f} % "
        "of full scale on average.",
        title="One choice of twenty",
        name="code-flip",
        alt="Setting one categorical latent to each of its ten classes changes a part or the style of the decoded digit",
    )
