"""The categorical autoencoders of the chapter on reparameterisation: two data sets, five estimators, three seeds each.

``kexue train gumbel-softmax/mnist-st`` trains one of the ten runs. Everything but the estimator is the same within a data set:
network, steps, warm-up of the KL, and the rate, which the plain score function has at half. The last images of the training split are
held out; they choose the weights that are kept. Rates and warm-up were settled by about thirty short runs of one seed, judged on
held-out MNIST digits: no grid for each estimator, and none on Fashion-MNIST. The test split chose nothing. A warm-up over half of
the steps was given up because ReinMax did not recover from it: with hardly any KL its codes became certain, and stayed so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics.gumbel_softmax_vae import ESTIMATORS, Baseline, DiscreteVAE, negative_elbo, score
from kexue.training import Experiment, fit, register
from kexue.training.pictures import parted, told
from kexue.training.rates import half_cosine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kexue.records import Record
    from kexue.training import Run

TAUS = (1.0, 0.5, 0.1)  # temperatures at which the relaxed bound is compared with the discrete one
CODE_SEED = 20190610  # of the codes drawn for judging
RATES = {"sf": 1e-3}  # 2e-3 for all others; for sf short runs at 5e-4 and 2e-3 were worse, the latter with another code gain
JUDGED = 2000  # training images judged for the gap between training and test


# --8<-- [start:experiment]
@dataclass(frozen=True)
class CategoricalVAE(Experiment):
    """A categorical VAE trained with one estimator on one data set.

    Attributes:
        estimator: key of ``gumbel_softmax_vae.ESTIMATORS``.
        data_set: name of the data set.
        latents: number L of latents.
        classes: number k of classes of each.
        hidden: widths of the encoder's two layers.
        steps: optimisation steps.
        batch: images in a batch.
        rate: peak learning rate of Adam, lowered to a fiftieth along a half cosine.
        warm_up: steps during which the weight of the KL rises from 0.1 to 1.
        tau_start: temperature at the first step.
        tau_end: temperature at the last step; falls geometrically.
        validation: images held out of the training split.
        draws: codes per image for judging.
        precision: of the training.
    """

    estimator: str = "st"
    data_set: str = "mnist-10k"
    latents: int = 20
    classes: int = 10
    hidden: tuple[int, ...] = (256, 128)
    steps: int = 40_000
    batch: int = 100
    rate: float = 2e-3
    warm_up: int = 600
    tau_start: float = 1.0
    tau_end: float = 0.5
    validation: int = 1000
    draws: int = 4
    precision: str = "32-true"
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.05, "active": 1.0}

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise ValueError(f"the estimator must be one of {', '.join(ESTIMATORS)}, got {self.estimator!r}")
        if not 0 < self.tau_end <= self.tau_start:
            raise ValueError(f"temperatures must fall and stay above 0, got {self.tau_start} to {self.tau_end}")

    @property
    def title(self) -> str:
        return f"categorical VAE on {datasets.info(self.data_set).title}, {ESTIMATORS[self.estimator].title}"

    def small(self) -> Self:
        return dataclasses.replace(self, steps=5000, batch=50)

    def data(self) -> dict[str, Any]:
        return told(self.data_set, self.validation)

    def images(self) -> dict[str, Tensor]:
        """Images as rows of 784 grey values in [0, 1]: ``train``, ``validation``, ``test``."""
        parts = parted(self.data_set, self.validation)
        return {name: images.flatten(1).float() / 255 for name, (images, _) in parts.items()}

    def model(self, mean: Tensor | None = None, generator: torch.Generator | None = None) -> DiscreteVAE:
        """The network with fresh weights; ``mean`` is the mean training image ``(784,)``."""
        wide, narrow = self.hidden
        return DiscreteVAE(latents=self.latents, classes=self.classes, hidden=(wide, narrow), pixel_mean=mean, generator=generator)

    # --8<-- [start:schedules]
    def tau(self, step: int) -> float:
        """Temperature at a step."""
        return float(self.tau_start * (self.tau_end / self.tau_start) ** (step / self.steps))

    def beta(self, step: int) -> float:
        """Weight of the KL at a step."""
        return min(1.0, 0.1 + 0.9 * step / self.warm_up) if self.warm_up > 0 else 1.0

    def rate_at(self, step: int) -> float:
        """Learning rate at a step."""
        return self.rate * half_cosine(step, self.steps, end=0.02)

    # --8<-- [end:schedules]

    def train(self, run: Run) -> dict[str, Tensor]:
        images = self.images()
        train, held_out = run.to_device(images["train"], images["validation"])
        bare = self.model(images["train"].mean(0), torch.Generator().manual_seed(run.seed))
        model, optimizer = run.setup(bare, torch.optim.Adam(bare.parameters(), lr=self.rate, fused=True))
        baseline = Baseline().to(run.fabric.device)
        rows_of = run.batches(len(train), self.batch).by_step(train.device)
        model.mark_forward_method("encode")
        model.mark_forward_method("decode")

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            x = train[rows_of(number)]  # (B, 784)
            optimizer.param_groups[0]["lr"] = self.rate_at(number)
            loss, bound = negative_elbo(
                self.estimator,
                model.encode(x).float(),
                model.decode,
                x,
                tau=self.tau(number),
                beta=self.beta(number),
                baseline=baseline,
                generator=run.generator,
            )
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            return {"loss": bound}

        # --8<-- [end:step]

        def judge(number: int) -> dict[str, float]:
            tau = self.tau(number)
            found = score(bare, held_out, draws=1, taus=(tau,), seed=CODE_SEED)
            bounds = {"val_loss": -found.elbo, "val_relaxed": -found.relaxed[tau], "val_kl": found.kl}
            return bounds | {"active": float(found.active), "tau": tau, "beta": self.beta(number)}

        parts = {"model": bare, "optimizer": optimizer, "baseline": baseline}
        fit(run, step, steps=self.steps, parts=parts, judge=judge, judge_every=max(1, self.steps // 40), keep_best="val_loss", bound=1e5)
        return dict(bare.state_dict())

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        model = self.restore(weights).to(run.fabric.device)
        images = self.images()
        train, test = run.to_device(images["train"][:JUDGED], images["test"])
        own = self.tau_end
        found = score(model, test, draws=self.draws, taus=tuple(dict.fromkeys((own, *TAUS))), seed=CODE_SEED)
        fitted = score(model, train, draws=self.draws, seed=CODE_SEED)
        # What training looks at: relaxed codes for Gumbel-softmax, hard ones, and so the bound itself, for all others.
        seen = found.relaxed[own] if ESTIMATORS[self.estimator].relaxed else found.elbo
        metrics = {"elbo": found.elbo, "train_elbo": fitted.elbo, "kl": found.kl, "seen_elbo": seen, "gap": seen - found.elbo}
        metrics |= {f"gap_tau_{tau:g}": found.relaxed[tau] - found.elbo for tau in TAUS}
        return metrics | {"active": float(found.active), "information": found.information}

    def restore(self, weights: Mapping[str, Tensor]) -> DiscreteVAE:
        """The network with given weights, for evaluation or play."""
        model = self.model()
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return model.eval()


def _experiment(short: str, data_set: str, held_out: int, estimator: str) -> CategoricalVAE:
    name, rate = f"gumbel-softmax/{short}-{estimator}", RATES.get(estimator, 2e-3)
    return CategoricalVAE(name, estimator=estimator, data_set=data_set, rate=rate, validation=held_out)


SETS = (("mnist", "mnist-10k", 1000), ("fashion", "fashion-mnist", 2000))
EXPERIMENTS = register(*(_experiment(*which, estimator) for which in SETS for estimator in ESTIMATORS))


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
@dataclass(frozen=True)
class Row:
    """One estimator in the comparison; each entry is mean and standard deviation over the seeds."""

    estimator: str
    title: str
    elbo: tuple[float, float]
    seen_elbo: tuple[float, float]
    gap: tuple[float, float]
    ms_per_step: tuple[float, float]
    active: tuple[float, float]


def comparison(records: Sequence[Record]) -> list[Row]:
    """Compare the estimators of one data set: discrete ELBO, the bound seen in training, their gap, time; best ELBO first.

    Args:
        records: the runs of one data set.

    Raises:
        ValueError: if the records are of several data sets.
    """
    if len({r.data["name"] for r in records}) > 1:
        raise ValueError(f"a comparison is of one data set, got {', '.join(sorted({r.data['name'] for r in records}))}")
    keys = [f.name for f in dataclasses.fields(Row)][2:]
    rows = []
    for record in records:
        estimator = str(record.settings["estimator"])
        values = {key: (record.metrics[key].mean, record.metrics[key].std) for key in keys}
        rows.append(Row(estimator, ESTIMATORS[estimator].title, **values))
    return sorted(rows, key=lambda row: -row.elbo[0])


def curves(records: Sequence[Record], metric: str = "val_loss") -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
    """Validation curves, mean over the seeds: for each estimator the steps and the values."""
    return {str(r.settings["estimator"]): (r.curve.steps, r.curve.mean(metric)) for r in records}


def restore(record: Record) -> DiscreteVAE:
    """The network of a shipped run, with its weights."""
    from kexue.training.experiment import with_settings

    experiment = with_settings(CategoricalVAE(record.name), record.settings)
    assert isinstance(experiment, CategoricalVAE)
    return experiment.restore(record.weights())


# --8<-- [start:flip]
@torch.no_grad()
def code_flip(model: DiscreteVAE, image: Tensor, latent: int) -> NDArray[Any]:
    """Decode an image's most probable code ten times, with one latent set to each of its classes in turn.

    Args:
        model: a trained network.
        image: ``(28, 28)`` or ``(784,)``, bytes or grey values in [0, 1].
        latent: number of the latent to change.

    Returns:
        Pictures ``(k, 28, 28)`` as bytes.

    Raises:
        ValueError: if there is no such latent or the image has no 784 pixels.
    """
    if not 0 <= latent < model.latents:
        raise ValueError(f"the latent must be in 0 … {model.latents - 1}, got {latent}")
    if image.numel() != 784:
        raise ValueError(f"an image must have 28 × 28 pixels, got shape {tuple(image.shape)}")
    x = image.reshape(1, 784).float() / (1 if image.is_floating_point() else 255)
    chosen = model.encode(x).argmax(-1).repeat(model.classes, 1)  # (k, L)
    chosen[:, latent] = torch.arange(model.classes)
    code = torch.nn.functional.one_hot(chosen, model.classes).float()  # (k, L, k)
    pictures = model.decode(code).sigmoid().mul(255).round().to(torch.uint8)
    return pictures.view(-1, 28, 28).numpy()


# --8<-- [end:flip]


def code_of(model: DiscreteVAE, image: Tensor) -> Tensor:
    """The most probable code of an image: the class of each latent, shape ``(L,)``."""
    with torch.no_grad():
        return model.encode(image.reshape(1, 784).float() / (1 if image.is_floating_point() else 255)).argmax(-1)[0]
