"""Twins: two plain convolutional nets that differ in nothing but their seeds, to be compared layer by layer.

``kexue train hsic/cka-fashion`` trains a pair of twins for each of its seeds: six nets of other first weights and another order of the
pictures each. The rate is Adam's usual one, chosen by nobody; pictures held out of the training split draw the curves and choose nothing,
and the last weights are kept. The layers are compared on pictures of the test split, which no net has seen.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kexue import datasets
from kexue.mathematics.hsic_similarity import bases, canonical_map, cka_map, identified, layer_grams, regression_map
from kexue.training import Experiment, fit, register
from kexue.training.experiment import with_settings
from kexue.training.pictures import parted, standardised, told
from kexue.training.rates import line

if TYPE_CHECKING:
    from kexue.records import Metric, Record
    from kexue.training import Run

CHUNK = 500  # pictures that go through a net together
MEASURES = ("cka", "biased", "gaussian", "svcca", "regression")


# --8<-- [start:net]
class PlainCnn(nn.Module):
    """Convolutions of 3×3 with ReLU, then the mean over the picture and a linear readout.

    The first convolution halves the picture, and so does each that has more channels than the one before.

    Args:
        channels: of each layer.
        classes: number of classes.
        generator: draws the weights, He's normal ones.
    """

    def __init__(self, channels: Sequence[int], classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        sizes = list(itertools.pairwise((1, *channels)))
        self.strides = [2 if out > into else 1 for into, out in sizes]
        self.weights = nn.ParameterList(torch.randn(o, i, 3, 3, generator=generator) * math.sqrt(2 / (9 * i)) for i, o in sizes)
        self.biases = nn.ParameterList(torch.zeros(o) for _, o in sizes)
        self.readout = nn.Parameter(torch.randn(classes, channels[-1], generator=generator) / math.sqrt(channels[-1]))
        self.shift = nn.Parameter(torch.zeros(classes))

    def layers(self, x: Tensor) -> list[Tensor]:
        """The outputs ``(N, channels, height, width)`` of all layers for pictures ``(N, height, width)``."""
        found, h = [], x[:, None]
        for w, b, stride in zip(self.weights, self.biases, self.strides, strict=True):
            h = torch.relu(F.conv2d(h, w, b, stride=stride, padding=1))
            found.append(h)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of pictures ``(N, height, width)``."""
        return F.linear(self.layers(x)[-1].mean((2, 3)), self.readout, self.shift)


# --8<-- [end:net]


# --8<-- [start:experiment]
@dataclass(frozen=True)
class Twins(Experiment):
    """Two plain convolutional nets of equal design, trained apart, and how alike their layers are.

    Attributes:
        data_set: name of the data set.
        channels: of the layers.
        pictures: of the training split, for training; 0 takes all that are not held out.
        validation: pictures at the end of the training split that are held out for the curves.
        epochs: passes through the training pictures.
        batch: pictures in a batch.
        rate: learning rate of Adam.
        end: the last rate as a share of the first; it falls along a straight line.
        judged: test pictures on which layers are compared.
        share: of a layer's variance that the rivals of CKA look at.
    """

    data_set: str = "fashion-mnist"
    channels: tuple[int, ...] = (32, 32, 64, 64, 128, 128, 128, 128)
    pictures: int = 0
    validation: int = 5000
    epochs: int = 20
    batch: int = 100
    rate: float = 1e-3
    end: float = 0.02
    judged: int = 400
    share: float = 0.99
    # --8<-- [end:experiment]

    # where two layers are nearly equally similar, another machine may find the other one: one answer in sixteen
    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.003} | {
        f"found-{which}-{m}": 0.07 for which in ("trained", "random") for m in MEASURES
    }

    @property
    def title(self) -> str:
        return f"Twins: two nets of {len(self.channels)} convolutions on {datasets.info(self.data_set).title}"

    def small(self) -> Self:
        return dataclasses.replace(self, channels=tuple(c // 2 for c in self.channels), pictures=10_000, validation=1000, epochs=5)

    def data(self) -> dict[str, Any]:
        return told(self.data_set, self.validation, training=self.pictures)

    def pictures_of(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Standardised pictures ``(N, height, width)`` and labels ``(N,)``: ``train``, ``validation``, ``test``."""
        parts = parted(self.data_set, self.validation, training=self.pictures)
        like, _ = parts["train"]
        return {name: (standardised(images, like), labels) for name, (images, labels) in parts.items()}

    def seeds_of(self, seed: int) -> tuple[int, int]:
        """Seeds of the two twins, for their weights and for their orders of the pictures; no two pairs share one."""
        return 2 * seed, 2 * seed + 1

    def fresh(self, seed: int) -> list[PlainCnn]:
        """The twins as they begin."""
        classes = len(datasets.info(self.data_set).classes)
        return [PlainCnn(self.channels, classes, torch.Generator().manual_seed(own)) for own in self.seeds_of(seed)]

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate at a step, from the first to the last."""
        return self.rate * line(step, steps, end=self.end)

    def train(self, run: Run) -> dict[str, Tensor]:
        if run.world > 1:
            raise ValueError("two nets are trained side by side on one device: train them in one process")
        data = {split: run.to_device(*both) for split, both in self.pictures_of().items()}
        x, y = data["train"]
        nets = self.fresh(run.seed)
        twins = nn.ModuleList(nets).to(x.device)
        optimizer = torch.optim.Adam(twins.parameters(), lr=self.rate, fused=True)
        batches = run.batches(len(x), self.batch)
        orders = [dataclasses.replace(batches, seed=own).by_step(x.device) for own in self.seeds_of(run.seed)]
        steps = self.epochs * batches.per_epoch

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            optimizer.param_groups[0]["lr"] = self.rate_at(number, steps)
            chosen = [rows_of(number) for rows_of in orders]
            both = torch.stack([F.cross_entropy(net(x[rows]), y[rows]) for net, rows in zip(nets, chosen, strict=True)])
            optimizer.zero_grad()
            run.fabric.backward(both.sum())  # no weight is in both losses
            optimizer.step()
            return {"loss": both.detach().mean()}

        # --8<-- [end:step]

        def judge(number: int) -> dict[str, float]:
            return {f"accuracy-{twin}": accuracy(net, *data["validation"]) for twin, net in enumerate(nets)}

        fit(run, step, steps=steps, parts={"nets": twins, "optimizer": optimizer}, judge=judge, judge_every=max(1, steps // 8))
        return {key: w.detach() for key, w in twins.state_dict().items()}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """Test accuracy of both, how often they agree, and how well each measure knows a layer again; ``random`` twins are untrained."""
        x, labels = run.to_device(*self.pictures_of()["test"])
        twins = {"trained": self.restore(weights), "random": self.fresh(run.seed)}
        found: dict[str, float] = {}
        for which, nets in twins.items():
            outputs = [layers_of(net.to(x.device), x[: self.judged]) for net in nets]
            maps = similarity_maps(*outputs, share=self.share)
            found |= {f"found-{which}-{measure}": identified(similarity) for measure, similarity in maps.items()}
            cka = maps["cka"]
            found[f"same-{which}"] = cka.diagonal().mean().item()
            found[f"other-{which}"] = ((cka.sum() - cka.trace()) / (cka.numel() - len(cka))).item()
        answers = [answers_of(net, x) for net in twins["trained"]]
        found |= {f"accuracy-{twin}": (a == labels).double().mean().item() for twin, a in enumerate(answers)}
        return found | {"agreement": (answers[0] == answers[1]).double().mean().item()}

    def restore(self, weights: Mapping[str, Tensor]) -> list[PlainCnn]:
        """The trained twins, ready for use."""
        nets = self.fresh(0)
        nn.ModuleList(nets).load_state_dict({key: w.float() for key, w in weights.items()})
        return [net.requires_grad_(False) for net in nets]


def similarity_maps(first: Sequence[Tensor], second: Sequence[Tensor], *, share: float = 0.99) -> dict[str, Tensor]:
    """The map ``(L, L)`` of every measure: CKA unbiased, biased, and with Gaussian kernels; SVCCA; linear regression.

    Args:
        first: layers ``(n, …)`` of one net.
        second: those of its twin on the same pictures.
        share: of a layer's variance that SVCCA and the regression look at: of all of it, with fewer pictures than features, anything
            explains everything.
    """
    k, l = (layer_grams(layers) for layers in (first, second))  # noqa: E741
    wide = [layer_grams(layers, "gaussian") for layers in (first, second)]
    u, v = bases(k, share), bases(l, share)
    regression = (regression_map(k, v) + regression_map(l, u).T) / 2
    found = (cka_map(k, l), cka_map(k, l, unbiased=False), cka_map(*wide), canonical_map(u, v), regression)
    return dict(zip(MEASURES, found, strict=True))


@torch.no_grad()
def layers_of(net: PlainCnn, x: Tensor) -> list[Tensor]:
    """The outputs of all layers for many pictures."""
    parts = [net.layers(rows) for rows in x.split(CHUNK)]  # type: ignore[no-untyped-call]
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


@torch.no_grad()
def answers_of(net: PlainCnn, x: Tensor) -> Tensor:
    """The classes ``(N,)`` that a net names."""
    return torch.cat([net(rows).argmax(1) for rows in x.split(CHUNK)])  # type: ignore[no-untyped-call]


def accuracy(net: PlainCnn, x: Tensor, labels: Tensor) -> float:
    """Share of right answers."""
    return (answers_of(net, x) == labels).double().mean().item()


EXPERIMENTS = register(Twins("hsic/cka-fashion"))


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
@dataclass(frozen=True)
class Pair:
    """What the shipped twins answer to the pictures on which they are compared.

    Attributes:
        trained: the layers ``(n, …)`` of each twin.
        untrained: the same before the first step.
        readout: of the first twin, ``(classes, channels)``; it sees the mean of the last layer over the picture.
    """

    trained: tuple[list[Tensor], list[Tensor]]
    untrained: tuple[list[Tensor], list[Tensor]]
    readout: Tensor

    @property
    def features(self) -> Tensor:
        """What the readout of the first twin sees, ``(n, channels)``."""
        return self.trained[0][-1].mean((2, 3))


def restore(record: Record) -> Pair:
    """The shipped twins on the pictures on which the record compares them."""
    experiment = with_settings(Twins(record.name), record.settings)
    assert isinstance(experiment, Twins)
    nets, fresh = experiment.restore(record.weights()), experiment.fresh(record.weights_seed)
    parts = parted(experiment.data_set, experiment.validation, training=experiment.pictures)
    x = standardised(parts["test"][0][: experiment.judged], parts["train"][0])
    trained, untrained = ((layers_of(a, x), layers_of(b, x)) for a, b in (nets, fresh))
    return Pair(trained, untrained, nets[0].readout)


def found_again(record: Record) -> dict[str, tuple[Metric, Metric]]:
    """By measure, how often a layer is known again in the twin net, trained and untrained, over the pairs of twins."""
    return {m: (record.metrics[f"found-trained-{m}"], record.metrics[f"found-random-{m}"]) for m in MEASURES}
