"""Maps of handwritten digits that take too long to draw on the page: a comparison of methods, and the way from SNE to t-SNE.

``kexue train minimum-entropy-maps/digits`` draws 600 digits by five methods, each seed another 600; ``.../morph`` draws 300 digits for
each of eight kernels, five perplexities and two normalisers. Nothing is learnt that could be tested on other data: labels serve for
colours and for the score alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics import minimum_entropy_maps as maps
from kexue.mathematics.minimum_entropy import conditional_entropy
from kexue.training import Experiment, register

if TYPE_CHECKING:
    from kexue.training import Run

__all__ = ["EXPERIMENTS", "METHODS", "DigitMaps", "Morph", "aligned", "rescaled", "sample", "surprise", "trustworthiness"]

#: method -> (alpha of the kernel, normaliser, first learning rate)
METHODS: Mapping[str, tuple[float, maps.Normaliser, float]] = {
    "sne": (math.inf, "row", 0.1),
    "row": (1.0, "row", 1.0),
    "tsne": (1.0, "all", 1.0),
}
START = 1e-2  # spread of the first map: the principal plane, made small


@cache
def _digits() -> tuple[Tensor, Tensor]:
    data = datasets.load("digits")
    return data.images.double().flatten(1), data.labels


def sample(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Digits drawn without replacement, sorted by label: pixels (count, 64) and labels (count,)."""
    x, labels = _digits()
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:count]
    chosen = chosen[labels[chosen].argsort(stable=True)]
    return x[chosen], labels[chosen]


def trustworthiness(x: Tensor, z: Tensor, *, neighbours: int = 10) -> float:
    """Whether neighbours on the map were neighbours before, between 0 and 1. Source: Venna and Kaski (2001), by scikit-learn."""
    from sklearn.manifold import trustworthiness as score

    return float(score(x.numpy(), z.numpy(), n_neighbors=neighbours))


def surprise(joint: Tensor) -> float:
    """The entropy of a joint law, the floor of a map that is normalised over all pairs."""
    terms: Tensor = -torch.special.xlogy(joint, joint)
    return float(terms.sum())


def aligned(z: Tensor, to: Tensor) -> Tensor:
    """`z` turned or mirrored so that it lies as close as possible to `to`, both (N, 2) and centred. Source: Schönemann (1966)."""
    left, _, right = torch.linalg.svd(z.T @ to)
    turned: Tensor = z @ (left @ right)
    return turned


def rescaled(joint: Tensor, z: Tensor, *, alpha: float, normaliser: maps.Normaliser) -> Tensor:
    """`z` at the best of forty scales between a fiftieth and twice its size, by :func:`map_entropy`: each kernel has its own unit."""
    scales = torch.logspace(math.log10(0.02), math.log10(2.0), 40, dtype=torch.float64)
    costs = [maps.map_entropy(joint, float(scale) * z, alpha=alpha, normaliser=normaliser).item() for scale in scales]
    return float(scales[costs.index(min(costs))]) * z


@dataclass(frozen=True)
class DigitMaps(Experiment):
    """Six hundred digits on five maps: principal plane, SNE, the post's form of t-SNE, t-SNE, and t-SNE by scikit-learn.

    Attributes:
        points: digits on a map.
        perplexity: effective number of neighbours.
        steps: of Adam for each map.
    """

    points: int = 600
    perplexity: float = 30.0
    steps: int = 500

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.02}

    @property
    def title(self) -> str:
        return f"{self.points} digits on five maps"

    def data(self) -> dict[str, Any]:
        return datasets.info("digits").in_a_record(f"{self.points} of 1,797 digits, another choice for each seed")

    def train(self, run: Run) -> dict[str, Tensor]:
        from sklearn.manifold import TSNE

        x, _ = sample(self.points, run.seed)
        plane = maps.principal_plane(x)
        start = START * plane / plane[:, 0].std()
        c = maps.neighbours(x, self.perplexity)
        drawn = {"pca": plane}
        for name, (alpha, normaliser, rate) in METHODS.items():
            joint = maps.records(c, normaliser)
            drawn[name] = maps.draw_map(joint, start, alpha=alpha, normaliser=normaliser, steps=self.steps, rate=rate)
        run.steps = self.steps * len(METHODS)
        theirs = TSNE(perplexity=self.perplexity, init="pca", random_state=run.seed).fit_transform(x.numpy())
        return drawn | {"sklearn": torch.as_tensor(theirs)}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        x, labels = sample(self.points, run.seed)
        c = maps.neighbours(x, self.perplexity)
        found = {"floor": conditional_entropy(maps.records(c)).item(), "class_raw": maps.same_class(x, labels)}
        for name, z in weights.items():
            found |= {f"class_{name}": maps.same_class(z.double(), labels), f"trust_{name}": trustworthiness(x, z.double())}
        for name, like in {"sne": "sne", "row": "row", "tsne": "tsne", "sklearn": "tsne"}.items():
            alpha, normaliser, _ = METHODS[like]
            joint = maps.records(c, normaliser)
            cost = maps.map_entropy(joint, weights[name].double(), alpha=alpha, normaliser=normaliser).item()
            floor = found["floor"] if normaliser == "row" else surprise(joint)
            found |= {f"cost_{name}": cost, f"excess_{name}": cost - floor}
        return found


# --8<-- [start:morph]
@dataclass(frozen=True)
class Morph(Experiment):
    """The same digits for every kernel between Student and Gauss, several perplexities and both normalisers.

    Each map starts from that of the kernel before, so that a digit can be followed by eye.

    Attributes:
        points: digits on a map.
        perplexities: effective numbers of neighbours.
        freedoms: degrees of freedom nu of the kernel, from Student's 1 to 0 for infinity; alpha = (nu + 1)/2.
        steps: of Adam for the first map of a row; a quarter as many for the others.
    """

    points: int = 300
    perplexities: tuple[float, ...] = (2.0, 5.0, 15.0, 40.0, 100.0)
    freedoms: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 0.0)
    steps: int = 1000
    seeds: tuple[int, ...] = (0,)
    # --8<-- [end:morph]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.02}

    @property
    def title(self) -> str:
        return f"{self.points} digits from SNE to t-SNE"

    @property
    def alphas(self) -> tuple[float, ...]:
        """Of the kernels, in the order of `freedoms`."""
        return tuple((nu + 1) / 2 if nu else math.inf for nu in self.freedoms)

    def data(self) -> dict[str, Any]:
        return datasets.info("digits").in_a_record(f"{self.points} of 1,797 digits")

    def train(self, run: Run) -> dict[str, Tensor]:
        run.steps = 2 * len(self.perplexities) * (self.steps + (len(self.alphas) - 1) * (self.steps // 4))
        return self.drawn(run.seed)

    def drawn(self, seed: int = 0) -> dict[str, Tensor]:
        """All maps of a sample: ``row`` and ``all``, each (perplexities, kernels, points, 2)."""
        x, _ = sample(self.points, seed)
        return {"row": self._maps(x, "row"), "all": self._maps(x, "all")}

    def _maps(self, x: Tensor, normaliser: maps.Normaliser) -> Tensor:
        """The maps of one normaliser, (perplexities, kernels, points, 2)."""
        plane, rows = maps.principal_plane(x), []
        for perplexity in self.perplexities:
            joint = maps.records(maps.neighbours(x, perplexity), normaliser)
            z, row = START * plane / plane[:, 0].std(), []
            for k, alpha in enumerate(self.alphas):
                if k:
                    z = rescaled(joint, z, alpha=alpha, normaliser=normaliser)
                steps, rate = (self.steps, 1.0) if k == 0 else (self.steps // 4, 0.02 * z.abs().max().item())
                moved = maps.draw_map(joint, z, alpha=alpha, normaliser=normaliser, steps=steps, rate=rate)
                moved = moved - moved.mean(0)
                z = aligned(moved, z if k else plane)
                row.append(z)
            rows.append(torch.stack(row))
        return torch.stack(rows)

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        states = self.states(weights, run.seed)
        shown = {"student": 0, "gauss": len(self.freedoms) - 1}
        return {
            f"{what}_{normaliser}_{kernel}_{perplexity:g}": states[normaliser][what][p, k].item()
            for normaliser in ("row", "all")
            for what in ("excess", "same")
            for kernel, k in shown.items()
            for p, perplexity in enumerate(self.perplexities)
        }

    def states(self, weights: Mapping[str, Tensor], seed: int = 0) -> dict[str, dict[str, Tensor]]:
        """What the explorer reads out: for each normaliser ``cost``, ``excess``, ``same`` and ``spread``, (perplexities, kernels)."""
        x, labels = sample(self.points, seed)
        found: dict[str, dict[str, Tensor]] = {}
        normalisers: tuple[maps.Normaliser, ...] = ("row", "all")
        for normaliser in normalisers:
            table = torch.zeros(4, len(self.perplexities), len(self.freedoms), dtype=torch.float64)
            for p, perplexity in enumerate(self.perplexities):
                joint = maps.records(maps.neighbours(x, perplexity), normaliser)
                floor = conditional_entropy(joint).item() if normaliser == "row" else surprise(joint)
                for k, alpha in enumerate(self.alphas):
                    z = weights[normaliser][p, k].double()
                    cost = maps.map_entropy(joint, z, alpha=alpha, normaliser=normaliser).item()
                    spread = z.square().sum(1).mean().sqrt().item()
                    numbers = (cost, cost - floor, maps.same_class(z, labels), spread)
                    table[:, p, k] = torch.tensor(numbers, dtype=torch.float64)
            found[normaliser] = dict(zip(("cost", "excess", "same", "spread"), table, strict=True))
        return found


EXPERIMENTS = register(DigitMaps("minimum-entropy-maps/digits"), Morph("minimum-entropy-maps/morph"))
