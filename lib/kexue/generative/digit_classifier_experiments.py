"""The training of the book's classifier, on digits and on clothes: ``kexue train digit-classifier/mnist``.

The settings are those of a CPU: no others are meant. The last pictures of the training split are held out to watch the training;
they choose nothing, and the last weights are kept. The test split is looked at once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.generative.digit_classifier import DigitClassifier, moved
from kexue.training import Experiment, fit, register
from kexue.training.pictures import parted, told
from kexue.training.rates import half_cosine

if TYPE_CHECKING:
    from kexue.training import Run


@dataclass(frozen=True)
class Classification(Experiment):
    """A classifier of 28×28 pictures.

    Attributes:
        data_set: name of the data set.
        channels: of the three convolutions.
        steps: optimisation steps.
        batch: pictures in a batch.
        rate: peak learning rate of Adam; it rises along the first twentieth of the steps and falls to nought along a half cosine.
        decay: decoupled weight decay.
        reach: how far a training picture is moved at most, in pixels.
        flip: whether training pictures are mirrored left to right.
        validation: pictures held out of the training split.
    """

    data_set: str = "mnist-10k"
    channels: tuple[int, ...] = (16, 32, 64)
    steps: int = 2100
    batch: int = 100
    rate: float = 4e-3
    decay: float = 1e-3
    reach: int = 2
    flip: bool = False
    validation: int = 1000

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.002, "loss": 0.005, "worst_class": 0.01}

    @property
    def title(self) -> str:
        return f"classifier of {datasets.info(self.data_set).title}"

    def data(self) -> dict[str, Any]:
        return told(self.data_set, self.validation)

    def pictures(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Grey values in [0, 1], ``(N, 28, 28)``, and labels ``(N,)``: ``train``, ``validation``, ``test``."""
        return {name: (images.float() / 255, labels) for name, (images, labels) in parted(self.data_set, self.validation).items()}

    def model(self, generator: torch.Generator | None = None) -> DigitClassifier:
        """The network with fresh weights."""
        a, b, c = self.channels
        return DigitClassifier(len(datasets.info(self.data_set).classes), (a, b, c), generator)

    def restore(self, weights: Mapping[str, Tensor]) -> DigitClassifier:
        """The network with given weights, for use."""
        model = self.model()
        model.load_state_dict({name: w.float() if w.is_floating_point() else w for name, w in weights.items()})
        return model.eval().requires_grad_(False)

    def rate_at(self, step: int) -> float:
        """Learning rate at a step."""
        warm = self.steps / 20
        return self.rate * min(1.0, step / warm) * half_cosine(step, self.steps)

    def train(self, run: Run) -> dict[str, Tensor]:
        pictures = self.pictures()
        train_x, train_y = run.to_device(*pictures["train"])
        held_out = run.to_device(*pictures["validation"])
        bare = self.model(torch.Generator().manual_seed(run.seed))
        bare.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
        model, optimizer = run.setup(bare, torch.optim.AdamW(bare.parameters(), lr=self.rate, weight_decay=self.decay))
        rows_of = run.batches(len(train_x), self.batch).by_step(train_x.device)

        def step(number: int) -> dict[str, Tensor]:
            rows = rows_of(number)
            optimizer.param_groups[0]["lr"] = self.rate_at(number)
            x = moved(train_x[rows], self.reach, flip=self.flip, generator=run.generator)
            loss = F.cross_entropy(model(x), train_y[rows])
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            return {"loss": loss}

        def watch(number: int) -> dict[str, float]:
            found = judged(bare, *held_out)
            return {"val_loss": found["loss"], "val_accuracy": found["accuracy"]}

        parts = {"model": bare, "optimizer": optimizer}
        fit(run, step, steps=self.steps, parts=parts, judge=watch, judge_every=max(1, self.steps // 20), bound=1e3)
        return dict(bare.state_dict())

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        model = self.restore(weights).to(run.fabric.device)
        return judged(model, *run.to_device(*self.pictures()["test"]))


@torch.no_grad()
def judged(model: DigitClassifier, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of right answers, that of the class with the fewest, and the mean cross-entropy in nats.

    Args:
        model: left in the mode it was in.
        images: ``(N, 28, 28)``, grey values in [0, 1].
        labels: ``(N,)``.
    """
    training = model.training
    model.eval()
    logits = torch.cat([model(rows) for rows in torch.split(images, 1000)])
    model.train(training)
    right = (logits.argmax(1) == labels).double()
    held = labels.bincount()
    by_class = labels.bincount(weights=right)[held > 0] / held[held > 0]
    loss = F.cross_entropy(logits.double(), labels)
    return {"accuracy": float(right.mean()), "worst_class": float(by_class.min()), "loss": float(loss)}


EXPERIMENTS = register(
    Classification("digit-classifier/mnist"),
    Classification("digit-classifier/fashion", data_set="fashion-mnist", steps=2000, batch=125, reach=1, flip=True, validation=2000),
)
