"""The HSIC bottleneck on pictures: layers that learn without back-propagation, back-propagation, and layers that learn nothing.

``kexue train hsic/bottleneck-mnist`` trains one deep net layer by layer, each layer on its own loss, and beside it one net for every
depth end to end, on the same batches. What the last layer of each knows is asked by the same linear readout, and so is what the pixels
and what random layers know. Bandwidth, beta and rate are those of the paper and of an earlier experiment on 8×8 digits. Pictures held out
of the training split draw the curves; they choose nothing, and the last weights are kept. The test split is looked at once, at the end.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.mathematics.hsic_training import Readout, ReluNet, bottleneck_losses, fit_readout, shares
from kexue.training import Experiment, fit, register
from kexue.training.pictures import parted, standardised, told
from kexue.training.rates import line

if TYPE_CHECKING:
    from kexue.records import Metric, Record
    from kexue.training import Run

JUDGED = 256  # held-out pictures on which dependences are measured


# --8<-- [start:experiment]
@dataclass(frozen=True)
class Bottleneck(Experiment):
    """Nets of ReLU layers, trained layer by layer or end to end, and read out linearly.

    Attributes:
        data_set: name of the data set.
        depths: numbers of layers after which is read out, rising.
        width: units of a layer.
        beta: weight of the dependence on the labels.
        sigma: bandwidth, in units of the square root of the dimension.
        pictures: of the training split, for training; 0 takes all that are not held out.
        validation: pictures at the end of the training split that are held out for the curves.
        epochs: passes through the training pictures.
        batch: pictures in a batch.
        rate: learning rate of Adam, for all nets.
        end: the last rate as a share of the first; it falls along a straight line.
        ridge: of the readout.
    """

    data_set: str = "mnist-10k"
    depths: tuple[int, ...] = (1, 2, 5, 10, 20)
    width: int = 256
    beta: float = 50.0
    sigma: float = 5.0
    pictures: int = 0
    validation: int = 1000
    epochs: int = 50
    batch: int = 256
    rate: float = 1e-3
    end: float = 0.02
    ridge: float = 1e-3
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.003}

    def __post_init__(self) -> None:
        if not self.depths or any(a >= b for a, b in itertools.pairwise((0, *self.depths))):
            raise ValueError(f"depths are numbers of layers, at least 1 and rising, got {self.depths}")

    @property
    def title(self) -> str:
        return f"HSIC bottleneck of {self.depths[-1]} layers on {datasets.info(self.data_set).title}"

    def small(self) -> Self:
        return dataclasses.replace(self, depths=(1, 2, 5, 10), width=128, pictures=7000, epochs=15)

    def data(self) -> dict[str, Any]:
        return told(self.data_set, self.validation, training=self.pictures)

    def pictures_of(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Standardised pictures ``(N, pixels)`` and labels ``(N,)``: ``train``, ``validation``, ``test``."""
        parts = parted(self.data_set, self.validation, training=self.pictures)
        like, _ = parts["train"]
        return {name: (standardised(x, like).flatten(1), y) for name, (x, y) in parts.items()}

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(datasets.info(self.data_set).classes)

    def fresh(self, seed: int, pixels: int, depth: int) -> ReluNet:
        """A net with the weights that all begin with, so far as they have layers."""
        return ReluNet(pixels, self.width, depth, torch.Generator().manual_seed(seed))

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate at a step, from the first to the last."""
        return self.rate * line(step, steps, end=self.end)

    def train(self, run: Run) -> dict[str, Tensor]:
        if run.world > 1:
            raise ValueError("the dependence is measured on a whole batch: train in one process")
        data = {split: run.to_device(*both) for split, both in self.pictures_of().items()}
        x, y = data["train"]
        deep = self.fresh(run.seed, x.shape[1], self.depths[-1]).to(x.device)
        ends = {f"backprop-{d}": self.fresh(run.seed, x.shape[1], d).to(x.device) for d in self.depths}
        heads = torch.nn.ModuleDict({name: Readout(self.width, self.classes) for name in ends}).to(x.device)
        nets = torch.nn.ModuleDict({"hsic": deep, **ends})
        optimizer = torch.optim.Adam([*nets.parameters(), *heads.parameters()], lr=self.rate, fused=True)
        batches = run.batches(len(x), self.batch)
        rows_of = batches.by_step(x.device)
        steps = self.epochs * batches.per_epoch

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            rows = rows_of(number)
            optimizer.param_groups[0]["lr"] = self.rate_at(number, steps)
            own = bottleneck_losses(deep(x[rows], apart=True), x[rows], y[rows], beta=self.beta, sigma=self.sigma)  # (L,)
            found = {name: F.cross_entropy(heads[name](net(x[rows])[-1]), y[rows]) for name, net in ends.items()}
            optimizer.zero_grad()
            run.fabric.backward(own.sum() + torch.stack(list(found.values())).sum())  # no weight is in two of these losses
            optimizer.step()
            return {"hsic": own.mean()} | found

        # --8<-- [end:step]

        watched = tuple(rows[:JUDGED] for rows in data["validation"])

        def judge(number: int) -> dict[str, float]:
            return self._shares({"hsic": deep} | ends, *watched)

        parts = {"nets": nets, "heads": heads, "optimizer": optimizer}
        fit(run, step, steps=steps, parts=parts, judge=judge, judge_every=max(1, steps // 10))
        untrained = self.fresh(run.seed, x.shape[1], self.depths[-1]).to(x.device)
        return self._with_readouts({"hsic": deep, **ends, "random": untrained}, x, y)

    @torch.no_grad()
    def _layers(self, nets: Mapping[str, ReluNet], x: Tensor) -> dict[str, Tensor]:
        """The outputs that are read out, ``(N, width)``, by ``method-depth``; the pixels are ``pixels-0``."""
        found = {"pixels-0": x}
        for name, net in nets.items():
            method, _, end = name.partition("-")
            layers = net(x)
            found |= {f"{method}-{d}": layers[d - 1] for d in ([int(end)] if end else self.depths)}
        return found

    def _shares(self, nets: Mapping[str, ReluNet], x: Tensor, labels: Tensor) -> dict[str, float]:
        layers = self._layers(nets, x)
        found = shares(list(layers.values()), x, labels, sigma=self.sigma).tolist()
        named = list(zip(layers, found, strict=True))
        return {f"x-{name}": on_x for name, (on_x, _) in named} | {f"y-{name}": on_y for name, (_, on_y) in named}

    def _with_readouts(self, nets: Mapping[str, ReluNet], x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The weights of nets and readouts; a readout is fitted to its net as it is shipped, in half precision."""
        for p in itertools.chain(*(net.parameters() for net in nets.values())):
            p.detach().copy_(p.detach().half())
        layers = self._layers(nets, x)
        readouts = {f"readout-{name}": fit_readout(z, labels, self.classes, ridge=self.ridge) for name, z in layers.items()}
        kept = {name: net for name, net in nets.items() if name != "random"} | readouts
        return {f"{name}.{key}": w.detach() for name, part in kept.items() for key, w in part.state_dict().items()}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """Test accuracy of every readout, and the relative dependences of its layer on held-out pictures."""
        data = self.pictures_of()
        x, labels = run.to_device(*data["test"])
        nets, readouts = self.restore(weights)
        deep = self.fresh(run.seed, x.shape[1], self.depths[-1])
        for p in deep.parameters():
            p.detach().copy_(p.detach().half())
        nets = {name: net.to(x.device) for name, net in (nets | {"random": deep}).items()}
        layers = self._layers(nets, x)
        right = {name: (readouts[name].to(x.device)(z).argmax(1) == labels).double().mean().item() for name, z in layers.items()}
        watched = run.to_device(*(rows[:JUDGED] for rows in data["validation"]))
        return {f"accuracy-{name}": value for name, value in right.items()} | self._shares(nets, *watched)

    def restore(self, weights: Mapping[str, Tensor]) -> tuple[dict[str, ReluNet], dict[str, Readout]]:
        """The trained nets, ``hsic`` and ``backprop-DEPTH``, and the readouts by ``method-depth``."""
        by_part: dict[str, dict[str, Tensor]] = {}
        for key, w in weights.items():
            name, _, inner = key.partition(".")
            by_part.setdefault(name, {})[inner] = w.float()
        nets, readouts = {}, {}
        for name, state in by_part.items():
            if name.startswith("readout-"):
                made = Readout(state["weight"].shape[1], state["weight"].shape[0])
                made.load_state_dict(state)
                readouts[name.removeprefix("readout-")] = made.requires_grad_(False)
            else:
                net = ReluNet(state["weights.0"].shape[1], state["weights.0"].shape[0], len(state) // 2)
                net.load_state_dict(state)
                nets[name] = net.requires_grad_(False)
        return nets, readouts


EXPERIMENTS = register(
    Bottleneck("hsic/bottleneck-mnist"),
    Bottleneck("hsic/bottleneck-fashion", data_set="fashion-mnist", validation=5000, epochs=20),
)


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
def accuracies(record: Record) -> dict[str, dict[int, Metric]]:
    """Test accuracy over the seeds by method and depth: ``pixels`` (depth 0), ``hsic``, ``backprop``, ``random``."""
    return _by_method(record, "accuracy")


def dependences(record: Record, on: str) -> dict[str, dict[int, Metric]]:
    """A layer's dependence on the inputs (``x``) or the labels (``y``), relative to theirs on themselves, by method and depth.

    Raises:
        ValueError: if `on` is neither.
    """
    if on not in ("x", "y"):
        raise ValueError(f"a layer depends on x or y, got {on!r}")
    return _by_method(record, on)


def _by_method(record: Record, kind: str) -> dict[str, dict[int, Metric]]:
    found: dict[str, dict[int, Metric]] = {}
    for name, metric in record.metrics.items():
        what, _, place = name.partition("-")
        if what == kind:
            method, _, depth = place.rpartition("-")
            found.setdefault(method, {})[int(depth)] = metric
    return found


def restore(record: Record) -> tuple[dict[str, ReluNet], dict[str, Readout]]:
    """The shipped nets, ``hsic`` and ``backprop-DEPTH``, and all readouts by ``method-depth``."""
    from kexue.training.experiment import with_settings

    experiment = with_settings(Bottleneck(record.name), record.settings)
    assert isinstance(experiment, Bottleneck)
    return experiment.restore(record.weights())
