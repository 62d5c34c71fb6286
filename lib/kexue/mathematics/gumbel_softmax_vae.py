"""A variational autoencoder whose code is a row of categorical digits, and five ways to train it.

The code of an image ``x`` has L latents of k classes. The encoder gives logits ``(B, L, k)``, that is
``q(z | x) = prod_l softmax(logits_l)``; the prior is uniform; the decoder gives the logit of each pixel, and
``log p(x | z) = sum_i x_i log s_i + (1 - x_i) log(1 - s_i)``, the Bernoulli likelihood with the *grey value* ``x_i`` in [0, 1] in
place of a bit, as in the notebook of Jang et al. (no binarisation: nats are not comparable with binarised MNIST). What is judged is
the *discrete* bound: codes drawn from q, exact KL,

    ELBO(x) = E_{z ~ q}[log p(x | z)] - sum_l KL(softmax(logits_l) || uniform).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kexue.mathematics import gumbel_softmax as gs

__all__ = ["ESTIMATORS", "Baseline", "Bounds", "DiscreteVAE", "kl_to_uniform", "negative_elbo", "pixel_log_likelihood", "score"]

PIXELS = 784
Decoder = Callable[[Tensor], Tensor]


# --8<-- [start:model]
class DiscreteVAE(nn.Module):
    """Encoder and decoder of two hidden layers each, around a code of L categorical latents with k classes.

    Both networks see standardised inputs: pixels without their mean, and codes without theirs, ``y - 1/k``, both enlarged. A one-hot
    code left as it is has so little energy in each unit that the decoder hardly listens to it at first.

    Args:
        latents: number L of latents.
        classes: number k of classes.
        hidden: widths of the two layers, as the encoder has them; the decoder's are in reverse.
        pixel_gain: factor on the centred pixels.
        code_gain: factor on the centred code.
        pixel_mean: mean image of the training data ``(784,)``.
        generator: source of the initial weights.
    """

    pixel_mean: Tensor

    def __init__(
        self,
        *,
        latents: int = 20,
        classes: int = 10,
        hidden: tuple[int, int] = (256, 128),
        pixel_gain: float = 3.0,
        code_gain: float = 5.0,
        pixel_mean: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.latents, self.classes, self.pixel_gain, self.code_gain = latents, classes, pixel_gain, code_gain
        wide, narrow = hidden
        self.encoder = _mlp(PIXELS, wide, narrow, latents * classes)
        self.decoder = _mlp(latents * classes, narrow, wide, PIXELS)
        self.register_buffer("pixel_mean", torch.full((PIXELS,), 0.5) if pixel_mean is None else pixel_mean.clone())
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator | None) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                bound = 1 / math.sqrt(layer.in_features)
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                nn.init.zeros_(layer.bias)
        last = self.decoder[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():  # the first picture is the mean picture
            last.bias.copy_(torch.logit(self.pixel_mean.clamp(0.01, 0.99)))

    def encode(self, x: Tensor) -> Tensor:
        """Logits ``(B, L, k)`` of the code of images ``(B, 784)`` in [0, 1]."""
        hidden: Tensor = self.encoder(self.pixel_gain * (x - self.pixel_mean))
        return hidden.view(*hidden.shape[:-1], self.latents, self.classes)

    def decode(self, y: Tensor) -> Tensor:
        """Logits of the pixels ``(..., 784)`` for codes ``(..., L, k)``, one-hot or relaxed."""
        logits: Tensor = self.decoder(self.code_gain * (y - 1 / self.classes).flatten(-2))
        return logits


# --8<-- [end:model]


def _mlp(size_in: int, first: int, second: int, size_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size_in, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, size_out))


# --8<-- [start:bound]
def kl_to_uniform(logits: Tensor) -> Tensor:
    r"""Exact :math:`\sum_l\mathrm{KL}(\mathrm{softmax}(o_l)\,\|\,\mathrm{uniform})=\sum_l(\log k-H_l)` in nats; ``(..., L, k) -> (...)``.

    >>> kl_to_uniform(torch.zeros(1, 4, 10))
    tensor([0.])
    """
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_q + math.log(logits.shape[-1]))).sum((-1, -2))


def pixel_log_likelihood(pixel_logits: Tensor, x: Tensor) -> Tensor:
    """Bernoulli log-likelihood of grey values, summed over pixels; ``(..., B, 784), (B, 784) -> (..., B)``."""
    return -binary_cross_entropy_with_logits(pixel_logits, x.expand_as(pixel_logits), reduction="none").sum(-1)


# --8<-- [end:bound]


class Baseline(nn.Module):
    """Running mean of a cost, the simplest baseline of the score-function estimator.

    Args:
        decay: how much of the old mean each new value leaves.
    """

    mean: Tensor
    count: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("count", torch.zeros(()))

    def update(self, cost: Tensor) -> Tensor:
        """Return the mean before ``cost``, then take its mean in; before the first, the cost's own mean."""
        now = cost.detach().mean().float()
        before = torch.where(self.count > 0, self.mean, now)
        self.mean.copy_(self.decay * before + (1 - self.decay) * now)
        self.count.add_(1)
        return before


# --8<-- [start:estimators]
@dataclass(frozen=True)
class Estimator:
    """One way to get a gradient through the code.

    Attributes:
        title: in words.
        draws: codes drawn for each image.
        relaxed: whether the decoder sees a relaxed code in training.
    """

    title: str
    draws: int = 1
    relaxed: bool = False


ESTIMATORS = {
    "sf": Estimator("score function, running-mean baseline"),
    "rloo": Estimator("score function, leave-one-out baseline (k = 4)", draws=4),
    "gs": Estimator("Gumbel-softmax", relaxed=True),
    "st": Estimator("straight-through Gumbel-softmax"),
    "reinmax": Estimator("ReinMax"),
}


def negative_elbo(
    estimator: str,
    logits: Tensor,
    decode: Decoder,
    x: Tensor,
    *,
    tau: float,
    baseline: Baseline,
    generator: torch.Generator,
    beta: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """The loss whose gradient is the estimator's, and the estimate of the bound that it sees.

    Args:
        estimator: a key of ``ESTIMATORS``.
        logits: the encoder's ``(B, L, k)``.
        decode: codes ``(..., L, k)`` to logits of pixels ``(..., 784)``.
        x: images ``(B, 784)``.
        tau: temperature, for ``gs`` and ``st``.
        baseline: for ``sf``; updated.
        generator: source of the codes.
        beta: weight of the KL in the loss (below 1 while training warms up); the estimate has weight 1.

    Returns:
        Loss and negative ELBO, both means over the batch.
    """
    kl = kl_to_uniform(logits)  # (B,)
    if estimator in ("sf", "rloo"):
        noise = gs.gumbel_noise((ESTIMATORS[estimator].draws, *logits.shape), generator=generator, dtype=logits.dtype, device=logits.device)
        draw = gs.gumbel_max(logits, noise=noise)  # (S, B, L, k)
        cost = -pixel_log_likelihood(decode(draw), x)  # (S, B)
        log_q = gs.one_hot_log_prob(logits, draw).sum(-1)  # (S, B)
        pathless = gs.rloo(cost, log_q) if estimator == "rloo" else gs.score_function_loss(cost, log_q, baseline=baseline.update(cost))
        return (beta * kl + pathless).mean(), (kl + cost.mean(0)).mean().detach()
    y = _code(estimator, logits, tau, generator)  # (B, L, k)
    cost = -pixel_log_likelihood(decode(y), x)  # (B,)
    return (beta * kl + cost).mean(), (kl + cost).mean().detach()


def _code(estimator: str, logits: Tensor, tau: float, generator: torch.Generator) -> Tensor:
    if estimator == "reinmax":
        return gs.reinmax(logits, generator=generator)
    if estimator in ("gs", "st"):
        return gs.gumbel_softmax(logits, tau, hard=estimator == "st", generator=generator)
    raise ValueError(f"the estimator must be one of {', '.join(ESTIMATORS)}, got {estimator!r}")


# --8<-- [end:estimators]


@dataclass(frozen=True)
class Bounds:
    """What a trained model is judged by, in nats per image.

    Attributes:
        elbo: the discrete bound: hard codes, exact KL.
        kl: its KL term.
        relaxed: the same expression with relaxed codes, for each temperature asked for (no bound of anything).
        active: latents that tell more than a twentieth of a nat about the image (mutual information under the data).
        information: nats that the latents tell, each by itself, summed.
    """

    elbo: float
    kl: float
    relaxed: dict[float, float]
    active: int
    information: float


@torch.no_grad()
def score(model: DiscreteVAE, images: Tensor, *, draws: int = 8, taus: tuple[float, ...] = (), seed: int = 0, chunk: int = 1000) -> Bounds:
    """Judge a model: the discrete bound, and how far relaxed codes flatter it under the same Gumbel noise.

    The noise is drawn on the CPU, so that a GPU judges with the same noise.

    Args:
        model: in any mode; it has no dropout.
        images: ``(N, 784)`` in [0, 1].
        draws: codes for each image.
        taus: temperatures of the relaxed codes.
        seed: of the noise.
        chunk: images at a time.
    """
    generator = torch.Generator().manual_seed(seed)
    totals = dict.fromkeys((0.0, *taus), 0.0)
    kl, entropy = 0.0, torch.zeros(model.latents, dtype=torch.float64)
    q_sum = torch.zeros(model.latents, model.classes, dtype=torch.float64)
    for x in torch.split(images, chunk):
        logits = model.encode(x).float()  # (B, L, k)
        q = logits.softmax(-1)
        kl += float(kl_to_uniform(logits).double().sum())
        entropy += torch.special.entr(q).sum((0, -1)).double().cpu()  # (L,)
        q_sum += q.double().sum(0).cpu()
        for _ in range(draws):
            noise = gs.gumbel_noise(logits.shape, generator=generator, dtype=torch.float32).to(logits.device)
            for tau in totals:
                y = gs.gumbel_softmax(logits, tau, noise=noise) if tau else gs.gumbel_max(logits, noise=noise)
                totals[tau] += float(pixel_log_likelihood(model.decode(y).float(), x).double().sum()) / draws
    count = len(images)
    told = torch.special.entr(q_sum / count).sum(-1) - entropy / count  # (L,)
    bounds = {tau: (total - kl) / count for tau, total in totals.items()}
    return Bounds(bounds.pop(0.0), kl / count, bounds, int((told > 0.05).sum()), float(told.sum()))
