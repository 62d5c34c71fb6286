"""How deep may a plain net be? Activation, gain, depth and normalisation crossed, on digits and on clothes.

``kexue train activations/digits-depth`` trains 28 small nets without normalisation as a CPU can, and ``activations/digits-edge`` nets that
begin at the edge of chaos, on either side of it, and without biases; ``activations/fashion-depth`` is meant for a GPU (convolutions on
60,000 pictures, nine activations and the sigmoid), and its small settings are dense nets on averaged pictures.
The learning rate is the same for all nets, chosen by nobody: Adam's usual 1e-3. Pictures held out of the training split draw the curves;
they choose nothing either, and the last weights are kept. The test split is looked at once, at the end.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics.activations_training import (
    GAINS,
    KINDS,
    NORMS,
    Net,
    PlainNets,
    correct,
    gradient_ratio,
    losses,
    net_of,
    nets_of,
)
from kexue.training import Experiment, fit, register
from kexue.training.pictures import parted, standardised, told
from kexue.training.rates import line

if TYPE_CHECKING:
    from kexue.records import Record
    from kexue.training import Run

STARTING = 256  # training pictures whose gradients are compared before the first step
EDGES = (50, 70, 85, 100, 115, 140, 200)  # per cent of the critical variance of the weights, about equal steps of its logarithm
SEVEN = ("relu", "swish", "gelu", "su", "tanh", "sigmoid", "centred-sigmoid")
TEN = ("relu", "leaky-relu", "elu", "swish", "gelu", "mish", "su", "tanhexp", "relu2", "sigmoid")


# --8<-- [start:experiment]
@dataclass(frozen=True)
class DepthStudy(Experiment):
    """Plain nets of a whole grid, trained side by side on the same batches.

    Attributes:
        data_set: name of the data set.
        activations: names of the registry.
        gains: ``one``, ``own``, ``edge100`` and the like.
        depths: numbers of hidden layers.
        norms: ``none``, ``batch``.
        kind: ``dense`` or ``conv``.
        width: units or channels of a hidden layer.
        pool: side of the squares of pixels that are averaged.
        pictures: of the training split, for training; 0 takes all that are not held out.
        validation: pictures at the end of the training split that are held out for the curves.
        epochs: passes through the training pictures.
        batch: pictures in a batch.
        rate: learning rate of Adam.
        end: the last rate as a share of the first; it falls along a straight line.
        ships: patterns of the names of the nets whose weights are shipped.
    """

    data_set: str = "fashion-mnist"
    activations: tuple[str, ...] = TEN
    gains: tuple[str, ...] = GAINS
    depths: tuple[int, ...] = (8, 16, 32)
    norms: tuple[str, ...] = NORMS
    kind: str = "conv"
    width: int = 32
    pool: int = 1
    pictures: int = 0
    validation: int = 5000
    epochs: int = 20
    batch: int = 250
    rate: float = 1e-3
    end: float = 0.02
    ships: tuple[str, ...] = ("*-own-8-none", "swish-*-32-none", "gelu-*-32-none", "relu-own-32-batch", "swish-own-32-batch")
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.006}

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"the kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        names = [net.name for net in self.nets]
        if idle := [pattern for pattern in self.ships if not fnmatch.filter(names, pattern)]:
            raise ValueError(f"no net is called {', '.join(idle)}; there are {', '.join(names)}")

    @property
    def title(self) -> str:
        kind = "convolutional" if self.kind == "conv" else "dense"
        return f"{len(self.nets)} plain {kind} nets on {datasets.info(self.data_set).title}, up to {max(self.depths)} layers deep"

    @property
    def stacks(self) -> list[tuple[Net, ...]]:
        """The nets that are trained side by side, of one depth and one normalisation each."""
        return nets_of(self.activations, self.gains, self.depths, self.norms)

    @property
    def nets(self) -> list[Net]:
        """All nets."""
        return list(itertools.chain(*self.stacks))

    def small(self) -> Self:
        if self.kind == "dense":
            return self
        six = ("relu", "swish", "gelu", "su", "tanhexp", "sigmoid")
        sizes: dict[str, Any] = {"width": 64, "pool": 2, "pictures": 10_000, "validation": 1000, "epochs": 4, "batch": 100}
        return dataclasses.replace(self, kind="dense", activations=six, depths=(8, 32), **sizes)

    def data(self) -> dict[str, Any]:
        return told(self.data_set, self.validation, training=self.pictures)

    def pictures_of(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Standardised pictures ``(N, height, width)`` and labels ``(N,)``: ``train``, ``validation``, ``test``."""
        parts = parted(self.data_set, self.validation, training=self.pictures)
        like, _ = parts["train"]
        return {name: (standardised(images, like, self.pool), labels) for name, (images, labels) in parts.items()}

    def fresh(self, seed: int, pixels: int) -> list[PlainNets]:
        """The stacks with the weights they begin with; ``pixels`` is the number of a picture's pixels."""
        sizes = {"inputs": pixels, "width": self.width, "classes": len(datasets.info(self.data_set).classes)}
        return [PlainNets(s, kind=self.kind, generator=torch.Generator().manual_seed(seed), **sizes) for s in self.stacks]

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate at a step, from the first to the last."""
        return self.rate * line(step, steps, end=self.end)

    def train(self, run: Run) -> dict[str, Tensor]:
        if run.world > 1:
            raise ValueError("the nets of a study are trained side by side on one device: train them in one process")
        data = {split: run.to_device(*both) for split, both in self.pictures_of().items()}
        images, labels = data["train"]
        stacks = self.fresh(run.seed, images[0].numel())
        everything = torch.nn.ModuleList(stacks).to(images.device)
        optimizer = torch.optim.Adam(everything.parameters(), lr=self.rate, fused=True)
        batches = run.batches(len(images), self.batch)
        rows_of = batches.by_step(images.device)
        steps = self.epochs * batches.per_epoch

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            rows = rows_of(number)
            optimizer.param_groups[0]["lr"] = self.rate_at(number, steps)
            optimizer.zero_grad()
            total = torch.zeros((), device=images.device)
            for nets in stacks:  # one stack after the other: no more than one is in memory
                each = losses(nets(images[rows]), labels[rows])
                loss = torch.where(each.isfinite(), each, 0.0).sum()
                run.fabric.backward(loss)
                total += loss.detach()
            for p in everything.parameters():  # a net that has left the numbers stays where it is
                assert p.grad is not None
                p.grad.nan_to_num_(0.0, 0.0, 0.0)
            optimizer.step()
            return {"loss": total / len(self.nets)}

        # --8<-- [end:step]

        def judge(number: int) -> dict[str, float]:
            return {n.name: float(a) for nets in stacks for n, a in zip(nets.nets, correct(nets, *data["validation"]), strict=True)}

        fit(run, step, steps=steps, parts={"nets": everything, "optimizer": optimizer}, judge=judge, judge_every=max(1, steps // 8))
        return {f"{name}.{key}": w for nets in stacks for name, ws in nets.taken_apart().items() for key, w in ws.items()}

    def shipped(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        chosen = {name for pattern in self.ships for name in fnmatch.filter((net.name for net in self.nets), pattern)}
        return {key: w for key, w in weights.items() if key.split(".")[0] in chosen}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """Test accuracy of the nets whose weights are there, and the ratio of their gradients before the first step."""
        data = self.pictures_of()
        test = run.to_device(*data["test"])
        begin = run.to_device(*(both[:STARTING] for both in data["train"]))
        accuracy = {name: correct(nets.to(test[0].device), *test).item() for name, nets in apart(weights).items()}
        ratio: dict[str, float] = {}
        for stack in self.fresh(run.seed, begin[0][0].numel()):
            if any(net.name in accuracy for net in stack.nets):
                found = gradient_ratio(stack.to(begin[0].device), *begin)
                ratio |= {net.name: value for net, value in zip(stack.nets, found.tolist(), strict=True)}
        return {f"accuracy-{name}": a for name, a in accuracy.items()} | {f"gradient-{name}": ratio[name] for name in accuracy}


def apart(weights: Mapping[str, Tensor]) -> dict[str, PlainNets]:
    """Each net of some weights by its name, ready for use."""
    by_net: dict[str, dict[str, Tensor]] = {}
    for key, w in weights.items():
        name, part = key.split(".")
        by_net.setdefault(name, {})[part] = w
    return {name: PlainNets.put_together({name: parts}) for name, parts in by_net.items()}


EXPERIMENTS = register(
    DepthStudy(
        "activations/digits-depth",
        seeds=tuple(range(5)),
        data_set="digits",
        activations=SEVEN,
        depths=(3, 20),
        norms=("none",),
        kind="dense",
        width=64,
        validation=180,
        epochs=20,
        batch=64,
        end=1.0,
        ships=("*",),
    ),
    DepthStudy("activations/fashion-depth"),
    DepthStudy(
        "activations/digits-edge",
        data_set="digits",
        activations=("su",),
        gains=(*GAINS, *(f"edge{per_cent}" for per_cent in EDGES)),
        depths=(20, 40),
        norms=("none",),
        kind="dense",
        width=64,
        validation=180,
        epochs=20,
        batch=64,
        end=1.0,
        ships=("su-edge50-40-none", "su-edge100-40-none", "su-edge200-40-none"),
    ),
)


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
@dataclass(frozen=True)
class Row:
    """One net of a study.

    Attributes:
        net: what it is.
        accuracy: test accuracy of each seed.
        gradient: log10 of the first layer's gradient over the last one's before the first step, of each seed.
    """

    net: Net
    accuracy: tuple[float, ...]
    gradient: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy over the seeds."""
        return statistics.fmean(self.accuracy)

    @property
    def std(self) -> float:
        """Standard deviation of the accuracy over the seeds (divided by n − 1)."""
        return statistics.stdev(self.accuracy)


def rows(record: Record, **which: str | int) -> list[Row]:
    """The results of a study, best accuracy first.

    Args:
        record: of a :class:`DepthStudy`.
        which: values that the nets shall have, such as ``depth=32, norm="none"``.
    """
    nets = [net_of(name.removeprefix("accuracy-")) for name in record.metrics if name.startswith("accuracy-")]
    chosen = [net for net in nets if all(getattr(net, key) == value for key, value in which.items())]
    made = [Row(net, record.metrics[f"accuracy-{net.name}"].seeds, record.metrics[f"gradient-{net.name}"].seeds) for net in chosen]
    return sorted(made, key=lambda row: -row.mean)


def curves(record: Record, nets: Sequence[Net]) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
    """Held-out accuracy along the training, mean over the seeds: for each net its steps and values."""
    return {net.name: (record.curve.steps, record.curve.mean(net.name)) for net in nets}


def restore(record: Record) -> dict[str, PlainNets]:
    """The shipped nets of a study by their names, ready for use."""
    return apart(record.weights())


def across_the_edge(record: Record, depth: int) -> dict[int, Row]:
    """The nets of a study that begin at or beside the edge of chaos, by their variance of weights in per cent of the critical one."""
    found = {row.net.gain: row for row in rows(record, depth=depth)}
    return {per_cent: found[f"edge{per_cent}"] for per_cent in EDGES}
