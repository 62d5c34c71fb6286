"""How long and in which batches the small nets of the live experiment learn, chosen without the test digits: ``kexue train hsic/digits``.

Both ways of learning get the same grid of epochs and batches. The last pictures of the training split judge, nothing else does: the test
split is not loaded here. The settings are those of a CPU: no others are meant.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from kexue.mathematics.hsic_digits import LEARNING, accuracy_of, digits, train_layers
from kexue.mathematics.hsic_training import ReluNet
from kexue.training import Experiment, register
from kexue.training.pictures import told

if TYPE_CHECKING:
    from kexue.records import Record
    from kexue.training import Run

SHORT = dict(zip(("hsic", "backprop"), LEARNING, strict=True))


# --8<-- [start:experiment]
@dataclass(frozen=True)
class DigitSettings(Experiment):
    """Small nets trained with every setting of a grid and judged on held-out training digits.

    Attributes:
        epochs: passes through the training pictures.
        batches: pictures in a batch.
        validation: pictures at the end of the training split that judge.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: tuple[int, ...] = (10, 20, 40)
    batches: tuple[int, ...] = (64, 128, 256)
    validation: int = 360
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.006}  # two digits

    @property
    def title(self) -> str:
        return f"epochs and batches for three layers on 8×8 digits, {len(self.grid)} settings for each of two ways of learning"

    @property
    def grid(self) -> list[tuple[int, int]]:
        """Epochs and batch of every setting, the cheapest first."""
        return list(itertools.product(self.epochs, sorted(self.batches, reverse=True)))

    def data(self) -> dict[str, Any]:
        return told("digits", self.validation)

    def train(self, run: Run) -> dict[str, Tensor]:
        data = digits(validation=self.validation)
        found: dict[str, Tensor] = {}
        for short, method in SHORT.items():
            for epochs, batch in self.grid:
                net = train_layers(data, method, seed=run.seed, epochs=epochs, batch=batch)
                run.steps += epochs * -(-len(data.train) // batch)
                found |= {f"{short}-{epochs}-{batch}.{key}": w for key, w in net.state_dict().items()}
        return found

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """The share of the held-out digits that a readout of the last layer gets right, by ``way-epochs-batch``."""
        data = digits(validation=self.validation)
        return {name: accuracy_of(net, data) for name, net in self.restore(weights).items()}

    def restore(self, weights: Mapping[str, Tensor]) -> dict[str, ReluNet]:
        """The nets by ``way-epochs-batch``."""
        states: dict[str, dict[str, Tensor]] = {}
        for key, w in weights.items():
            name, _, inner = key.partition(".")
            states.setdefault(name, {})[inner] = w.float()
        nets = {}
        for name, state in states.items():
            width, inputs = state["weights.0"].shape
            nets[name] = ReluNet(inputs, width, len(state) // 2)
            nets[name].load_state_dict(state)
            nets[name].requires_grad_(False)
        return nets


EXPERIMENTS = register(DigitSettings("hsic/digits"))


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
def accuracies(record: Record) -> dict[str, dict[tuple[int, int], float]]:
    """Accuracy on the held-out digits, mean over the seeds, by way of learning, then by epochs and batch; the cheapest setting first."""
    grid = itertools.product(record.settings["epochs"], sorted(record.settings["batches"], reverse=True))
    places = list(grid)
    return {
        method: {place: record.metrics["-".join(map(str, (short, *place)))].mean for place in places} for short, method in SHORT.items()
    }


def chosen(record: Record) -> dict[str, dict[str, int]]:
    """``epochs`` and ``batch`` of each way of learning with the best accuracy on the held-out digits; of equals the cheapest."""
    best = {method: max(found, key=lambda place: found[place]) for method, found in accuracies(record).items()}
    return {method: {"epochs": epochs, "batch": batch} for method, (epochs, batch) in best.items()}
