r"""Forgetting wrong labels: a small network on digits of which three in ten carry a wrong label, with and without a bottleneck.

The network is 64-256-256 with rectifiers, a code of 32 coordinates and a linear classifier. *Without* a bottleneck the code is a
linear layer; *with* one the same layer gives the means, a second one the log-variances, and the loss charges :math:`\lambda` for each
nat of rate (:func:`kexue.mathematics.vae_bottleneck.vib_loss`). Weight decay and dropout are the rivals. In use the code is its mean.

:func:`train_setting` trains one network in seconds; the shipped run ``vae-bottleneck/forgetting`` holds all of them, three seeds each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kexue import datasets
from kexue.mathematics.vae_bottleneck import gaussian_kl, sample_code, vib_loss
from kexue.training import Batches

__all__ = ["SETTINGS", "CodeNet", "Codes", "Digits", "Learner", "Setting", "digit_sets", "judge", "train_setting", "wrong_labels"]

CLASSES = 10
FIRST_LOG_VARIANCE = -5.0  # of the codes at the start: hardly any noise, so that the network learns before it forgets


# --8<-- [start:settings]
@dataclass(frozen=True)
class Setting:
    """One way to train the network.

    Attributes:
        title: in words.
        weight: price of a nat of rate, λ; ``None`` for a code that is a plain linear layer.
        decay: decoupled weight decay.
        dropout: share of the hidden units that is left out at random in each step.
        clean: whether the labels are the right ones.
    """

    title: str
    weight: float | None = None
    decay: float = 0.0
    dropout: float = 0.0
    clean: bool = False


SETTINGS: Mapping[str, Setting] = {
    "plain": Setting("no bottleneck"),
    **{f"decay-{d:g}": Setting(f"weight decay {d:g}", decay=d) for d in (0.1, 0.3, 1.0, 3.0, 10.0)},
    **{f"dropout-{p:g}": Setting(f"dropout {p:g}", dropout=p) for p in (0.3, 0.5, 0.7, 0.8)},
    **{f"vib-{w:g}": Setting(f"VIB, λ = {w:g}", weight=w) for w in (0.0, 1e-3, 1e-2, 0.03, 0.06, 0.1, 0.14, 0.2, 0.3, 1.0)},
    "clean-plain": Setting("no bottleneck, right labels", clean=True),
    "clean-dropout-0.5": Setting("dropout 0.5, right labels", dropout=0.5, clean=True),
    "clean-vib-0.01": Setting("VIB, λ = 0.01, right labels", weight=1e-2, clean=True),
}
# --8<-- [end:settings]


# ---------------------------------------------------------------------------------------------------------------------------- the data
class Digits(NamedTuple):
    """Pictures ``(N, 64)`` in [0, 1] and their right labels ``(N,)``."""

    images: Tensor
    labels: Tensor


def digit_sets(train: int = 600, validation: int = 300) -> dict[str, Digits]:
    """The 1,797 digits of scikit-learn in the order of :mod:`kexue.datasets`: the first to train, the next to choose, the rest to test.

    Raises:
        ValueError: if nothing would be left for one of them.
    """
    data = datasets.load("digits")
    if min(train, validation, len(data) - train - validation) < 1:
        raise ValueError(f"train and validation must be at least 1 and leave some of {len(data)} digits, got {train} and {validation}")
    images = data.images.flatten(1).float() / 16
    parts = [train, validation, len(data) - train - validation]
    rows = zip(torch.split(images, parts), torch.split(data.labels, parts), strict=True)
    return dict(zip(("train", "validation", "test"), (Digits(*pair) for pair in rows), strict=True))


# --8<-- [start:labels]
def wrong_labels(labels: Tensor, share: float, *, classes: int = CLASSES, generator: torch.Generator | None = None) -> Tensor:
    """Labels of which exactly a share, rounded, is replaced by one of the other classes, each as likely.

    Args:
        labels: ``(N,)``, integers below `classes`.
        share: between 0 and 1.
        classes: how many there are.
        generator: source of randomness.

    Raises:
        ValueError: for a share outside [0, 1].

    >>> wrong_labels(torch.zeros(4, dtype=torch.long), 0.5, classes=2, generator=torch.Generator().manual_seed(0))
    tensor([1, 1, 0, 0])
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of wrong labels must be in [0, 1], got {share!r}")
    where = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    shift = torch.randint(1, classes, where.shape, generator=generator)  # never 0: a wrong label is wrong
    spoilt = labels.clone()
    spoilt[where] = (labels[where] + shift) % classes
    return spoilt


# --8<-- [end:labels]


# ------------------------------------------------------------------------------------------------------------------------- the network
class Codes(NamedTuple):
    """The law of the codes of a batch, ``(B, d)`` each; no log-variance where the code is a plain layer."""

    mean: Tensor
    log_variance: Tensor | None


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer whose first weights are uniform in ±1/√inputs, as PyTorch's own, from a generator."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device=generator.device)  # draws nothing from elsewhere
    with torch.no_grad():
        for weight in layer.parameters():
            weight.uniform_(-1 / math.sqrt(inputs), 1 / math.sqrt(inputs), generator=generator)
    return layer


def dropped(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Leave out a share of the units at random and scale the others up, so that the mean stays."""
    kept = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype) >= share
    return x * kept / (1 - share)


# --8<-- [start:network]
class CodeNet(nn.Module):
    """Two hidden layers, a code, a linear classifier; the code is noisy in training if the setting has a price."""

    def __init__(self, setting: Setting, *, hidden: int = 256, code: int = 32, generator: torch.Generator) -> None:
        super().__init__()
        self.setting = setting
        self.first, self.second = linear(64, hidden, generator), linear(hidden, hidden, generator)
        self.mean = linear(hidden, code, generator)
        self.answer = linear(code, CLASSES, generator)
        if setting.weight is not None:
            self.log_variance = linear(hidden, code, generator)
            nn.init.constant_(self.log_variance.bias, FIRST_LOG_VARIANCE)

    def codes(self, x: Tensor, generator: torch.Generator | None = None) -> Codes:
        """The law of the codes; a generator switches dropout on, if the setting has any."""
        for layer in (self.first, self.second):
            x = functional.relu(layer(x))
            if self.setting.dropout and generator is not None:
                x = dropped(x, self.setting.dropout, generator)
        return Codes(self.mean(x), None if self.setting.weight is None else self.log_variance(x))

    def loss(self, x: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """What training lowers, in nats."""
        mean, log_variance = self.codes(x, generator)
        if log_variance is None or self.setting.weight is None:
            return functional.cross_entropy(self.answer(mean), labels)
        z = sample_code(mean, log_variance, generator=generator)
        return vib_loss(self.answer(z), labels, mean, log_variance, self.setting.weight)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, 10)`` of the mean of the code: what is used."""
        answer: Tensor = self.answer(self.codes(x).mean)
        return answer


# --8<-- [end:network]


# ---------------------------------------------------------------------------------------------------------------------- the training
class Learner:
    """A network in training with its own optimiser and noise, so that settings that are trained together do not touch one another.

    Args:
        setting: how to train.
        digits: to train on, with their right labels.
        share: of labels made wrong, unless the setting asks for the right ones.
        seed: of the wrong labels, the first weights, the order and the noise.
        rate: learning rate of AdamW.
        batch: pictures in a step.
        hidden: width of the hidden layers.
        code: coordinates of the code.
    """

    def __init__(
        self, setting: Setting, digits: Digits, *, share: float, seed: int, rate: float, batch: int, hidden: int = 256, code: int = 32
    ) -> None:
        self.images = digits.images
        self.labels = digits.labels if setting.clean else given_labels(digits.labels, share, seed)
        self.generator = torch.Generator(device=self.images.device).manual_seed(seed)
        self.model = CodeNet(setting, hidden=hidden, code=code, generator=self.generator)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=setting.decay, fused=True)
        self.batches = Batches(len(self.images), batch, seed)
        self.rows_of = self.batches.by_step(self.images.device)

    def step(self, number: int) -> Tensor:
        """The optimisation step of a number, from 1 on; returns its loss."""
        rows = self.rows_of(number)
        loss = self.model.loss(self.images[rows], self.labels[rows], self.generator)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach()

    def state_dict(self) -> dict[str, Any]:
        """What changes with training beside the network: optimiser and noise."""
        return {"optimizer": self.optimizer.state_dict(), "noise": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["noise"])


def given_labels(labels: Tensor, share: float, seed: int) -> Tensor:
    """The labels that the networks of a seed are given, a share of them wrong: the same for every setting."""
    return wrong_labels(labels.cpu(), share, generator=torch.Generator().manual_seed(1_000_003 * (seed + 1))).to(labels.device)


@torch.no_grad()
def judge(model: CodeNet, sets: Mapping[str, Digits], given: Tensor) -> dict[str, float]:
    """Shares of right answers to validation and test digits, and what was learnt of the training labels.

    Args:
        model: the network.
        sets: as :func:`digit_sets` gives them.
        given: the training labels as they were given, ``(N,)``.

    Returns:
        ``val``, ``test``: shares of right answers; ``fit``: share of the training labels, as given, that the network gives back;
        ``learnt``: share of the *wrong* ones among them that it gives back (0 if none is wrong); ``rate``: mean nats of the training
        pictures' codes, for a network with a bottleneck.
    """
    answers = {name: model(part.images).argmax(1) for name, part in sets.items()}
    wrong = given != sets["train"].labels
    same = answers["train"] == given
    found = {short: _share(answers[name] == sets[name].labels) for short, name in (("val", "validation"), ("test", "test"))}
    found |= {"fit": _share(same), "learnt": _share(same[wrong]) if bool(wrong.any()) else 0.0}
    mean, log_variance = model.codes(sets["train"].images)
    return found if log_variance is None else found | {"rate": float(gaussian_kl(mean, log_variance).mean())}


def _share(right: Tensor) -> float:
    return float(right.double().mean())


# --8<-- [start:train]
def train_setting(
    key: str, *, seed: int = 0, epochs: int = 60, share: float = 0.3, rate: float = 1e-3, batch: int = 50
) -> tuple[CodeNet, dict[str, float]]:
    """Train the network of one setting, as the shipped run has it, and judge it.

    Args:
        key: of :data:`SETTINGS`.
        seed: of wrong labels, first weights, order and noise.
        epochs: passes over the training digits.
        share: of training labels made wrong.
        rate: learning rate.
        batch: digits in a step.

    Returns:
        The network, and what :func:`judge` says of it.

    Raises:
        ValueError: for an unknown setting.
    """
    if key not in SETTINGS:
        raise ValueError(f"unknown setting {key!r}; there are {', '.join(SETTINGS)}")
    sets = digit_sets()
    learner = Learner(SETTINGS[key], sets["train"], share=share, seed=seed, rate=rate, batch=batch)
    for number in range(1, epochs * learner.batches.per_epoch + 1):
        learner.step(number)
    return learner.model, judge(learner.model, sets, learner.labels)


# --8<-- [end:train]
