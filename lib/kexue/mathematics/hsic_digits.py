"""The live experiment: three layers learn 8×8 digits, each from its own HSIC loss, and none from the layer above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.mathematics.hsic_training import Readout, ReluNet, bottleneck_losses, fit_readout

__all__ = ["METHODS", "Digits", "accuracy_of", "digits", "train_layers"]

METHODS = ("HSIC bottleneck", "back-propagation", "random layers")


@dataclass(frozen=True)
class Digits:
    """Training and test pictures, standardised with the training pictures' mean and deviation: ``(N, 64)`` and labels ``(N,)``."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def digits() -> Digits:
    """The 8×8 digits in their two splits."""
    train, test = datasets.load("digits", split="train"), datasets.load("digits", split="test")
    pictures = train.images.flatten(1).float()
    mean, deviation = pictures.mean(), pictures.std()
    seen = [(p.images.flatten(1).float() - mean) / deviation for p in (train, test)]
    return Digits(seen[0], train.labels, seen[1], test.labels)


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
    """Share of the test digits that a logistic regression on the last layer gets right; it is fitted on the training digits."""
    readout = fit_readout(net(data.train)[-1], data.train_labels, 10)
    with torch.no_grad():
        return float((readout(net(data.test)[-1]).argmax(1) == data.test_labels).double().mean())


def compare(data: Digits, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Test accuracy of every method, one for each seed."""
    return {method: [accuracy_of(train_layers(data, method, seed=seed), data) for seed in seeds] for method in METHODS}
