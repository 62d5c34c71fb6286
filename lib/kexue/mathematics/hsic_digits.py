"""The live experiment: three layers learn 8×8 digits, each from its own HSIC loss, and none from the layer above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kexue.mathematics.hsic_training import Readout, ReluNet, bottleneck_losses, fit_readout
from kexue.training.pictures import kept, parted

__all__ = ["LEARNING", "METHODS", "Digits", "accuracy_of", "compare", "digits", "train_layers"]

LEARNING = ("HSIC bottleneck", "back-propagation")
METHODS = (*LEARNING, "random layers")


@dataclass(frozen=True)
class Digits:
    """Pictures to learn from and pictures that judge, standardised with the mean and deviation of the former: ``(N, 64)``, ``(N,)``."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def digits(*, validation: int = 0) -> Digits:
    """The 8×8 digits: the training split, judged by the test split.

    Args:
        validation: if above 0, as many at the end of the training split judge, and the test split is left alone.
    """
    parts = parted("digits", validation) if validation else {"train": kept("digits", "train")}
    train, labels = parts["train"]
    test, answers = parts["validation"] if validation else kept("digits", "test")
    pictures = train.flatten(1).float()
    mean, deviation = pictures.mean(), pictures.std()
    seen = [(p.flatten(1).float() - mean) / deviation for p in (train, test)]
    return Digits(seen[0], labels, seen[1], answers)


# --8<-- [start:train]
def train_layers(
    data: Digits,
    method: str,
    *,
    seed: int,
    beta: float = 50.0,
    sigma: float = 5.0,
    width: int = 64,
    depth: int = 3,
    epochs: int = 20,
    batch: int = 128,
    rate: float = 1e-3,
) -> ReluNet:
    """Train a small net by one of ``METHODS``; all begin with the same weights for the same seed.

    Args:
        data: what to learn.
        method: layer by layer, end to end, or not at all.
        seed: of weights and batches.
        beta: weight of the dependence on the labels.
        sigma: bandwidth in units of the root of the dimension.
        width: units of a layer.
        depth: layers.
        epochs: passes through the training pictures.
        batch: pictures in a batch.
        rate: of Adam.

    Raises:
        ValueError: for an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: expected one of {METHODS}")
    net = ReluNet(data.train.shape[1], width, depth, torch.Generator().manual_seed(seed))
    head = Readout(width, 10)
    apart = method == "HSIC bottleneck"
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=rate)
    order = torch.Generator().manual_seed(seed)
    for _ in range(0 if method == "random layers" else epochs):
        for part in torch.randperm(len(data.train), generator=order).split(batch):  # type: ignore[no-untyped-call]
            x, labels = data.train[part], data.train_labels[part]
            layers = net(x, apart=apart)
            if apart:
                loss = bottleneck_losses(layers, x, labels, beta=beta, sigma=sigma).sum()  # no gradient crosses a layer
            else:
                loss = F.cross_entropy(head(layers[-1]), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return net.requires_grad_(False)


# --8<-- [end:train]


def accuracy_of(net: ReluNet, data: Digits) -> float:
    """Share of the digits that judge which a logistic regression on the last layer gets right; it is fitted on the training digits."""
    readout = fit_readout(net(data.train)[-1], data.train_labels, 10)
    with torch.no_grad():
        return float((readout(net(data.test)[-1]).argmax(1) == data.test_labels).double().mean())


def compare(data: Digits, seeds: Sequence[int], settings: Mapping[str, Mapping[str, int]]) -> dict[str, list[float]]:
    """Accuracy of every method, one for each seed.

    Args:
        data: to learn from and to judge by.
        seeds: of weights and batches.
        settings: ``epochs`` and ``batch`` of the methods that learn.
    """
    return {m: [accuracy_of(train_layers(data, m, seed=seed, **settings.get(m, {})), data) for seed in seeds] for m in METHODS}
