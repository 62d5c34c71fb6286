"""Twenty-three ways to train on digits of which three in ten carry a wrong label: ``kexue train vae-bottleneck/forgetting``.

All settings share the wrong labels of a seed, the size of the network, rate, batch and epochs. Each rival of the bottleneck has a grid
of its own, with too little and too much on it; 300 validation digits with right labels choose on each grid (:func:`best`), the test
digits nothing. The settings are those of a CPU: no others are meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics.vae_bottleneck_forgetting import SETTINGS, CodeNet, Digits, Learner, digit_sets, given_labels, judge
from kexue.training import Experiment, fit, register

if TYPE_CHECKING:
    from kexue.records import Record
    from kexue.training import Run

MEASURES = ("val", "test", "fit", "learnt", "rate")


# --8<-- [start:experiment]
@dataclass(frozen=True)
class Forgetting(Experiment):
    """Networks trained side by side on the same wrong labels, one for each setting.

    Attributes:
        settings_used: keys of ``vae_bottleneck_forgetting.SETTINGS``.
        examples: digits to train on.
        validation: digits that choose among the settings; the rest are for the test.
        share: of the training labels that are wrong.
        epochs: passes over the training digits.
        batch: digits in a step.
        rate: learning rate of AdamW.
        hidden: width of the two hidden layers.
        code: coordinates of the code.
        points: on the curves.
    """

    settings_used: tuple[str, ...] = tuple(SETTINGS)
    examples: int = 600
    validation: int = 300
    share: float = 0.3
    epochs: int = 60
    batch: int = 50
    rate: float = 1e-3
    hidden: int = 256
    code: int = 32
    points: int = 15
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.006, **{f"rate_{key}": 0.02 for key in SETTINGS}} | {
        f"rate_vib-{weight}": 0.5 for weight in ("0", "0.001")
    }

    def __post_init__(self) -> None:
        if strange := [key for key in self.settings_used if key not in SETTINGS]:
            raise ValueError(f"unknown setting {strange[0]!r}; there are {', '.join(SETTINGS)}")

    @property
    def title(self) -> str:
        return f"forgetting wrong labels: {len(self.settings_used)} settings on digits, {self.share:.0%} of the labels wrong"

    def data(self) -> dict[str, Any]:
        about = datasets.info("digits")
        rest = about.count - self.examples - self.validation
        used = f"{self.examples:,} for training, {self.validation:,} for validation, {rest:,} for the test"
        return about.in_a_record(used)

    def train(self, run: Run) -> dict[str, Tensor]:
        if run.world > 1:
            raise ValueError("these networks are smaller than a message between processes: train them in one")
        sets = self._sets(run)
        options: dict[str, Any] = {"share": self.share, "seed": run.seed, "rate": self.rate, "batch": self.batch}
        options |= {"hidden": self.hidden, "code": self.code}
        learners = {key: Learner(SETTINGS[key], sets["train"], **options) for key in self.settings_used}
        per_epoch = self.examples // self.batch

        def step(number: int) -> dict[str, Tensor]:
            return {"loss": torch.stack([learner.step(number) for learner in learners.values()]).mean()}

        def watch(number: int) -> dict[str, float]:
            found = {key: judge(learner.model, sets, learner.labels) for key, learner in learners.items()}
            return {f"{what}_{key}": round(values[what], 4) for key, values in found.items() for what in ("val", "learnt")}

        parts: dict[str, Any] = {f"{key} network": learner.model for key, learner in learners.items()}
        parts |= {f"{key} rest": learner for key, learner in learners.items()}
        steps = self.epochs * per_epoch
        fit(run, step, steps=steps, parts=parts, judge=watch, judge_every=max(1, self.epochs // self.points) * per_epoch)
        return {f"{key}/{name}": w for key, learner in learners.items() for name, w in learner.model.state_dict().items()}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        sets = self._sets(run)
        found: dict[str, float] = {}
        for key in self.settings_used:
            right = sets["train"].labels
            given = right if SETTINGS[key].clean else given_labels(right, self.share, run.seed)
            values = judge(self.restore(weights, key).to(run.fabric.device), sets, given)
            found |= {f"{what}_{key}": value for what, value in values.items()}
        return found

    def restore(self, weights: Mapping[str, Tensor], key: str) -> CodeNet:
        """The network of a setting with given weights, for use."""
        model = CodeNet(SETTINGS[key], hidden=self.hidden, code=self.code, generator=torch.Generator())
        model.load_state_dict({name.removeprefix(f"{key}/"): w.float() for name, w in weights.items() if name.startswith(f"{key}/")})
        return model.eval().requires_grad_(False)

    def _sets(self, run: Run) -> dict[str, Digits]:
        sets = digit_sets(self.examples, self.validation)
        return {name: Digits(*run.to_device(*part)) for name, part in sets.items()}


EXPERIMENTS = register(Forgetting("vae-bottleneck/forgetting"))


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
@dataclass(frozen=True)
class Row:
    """One setting; each measure is mean and standard deviation over the seeds.

    Attributes:
        key: of ``SETTINGS``.
        title: in words.
        val: share of right answers to the validation digits.
        test: the same of the test digits.
        fit: share of the training labels, as given, that the network gives back.
        learnt: share of the wrong training labels that it gives back.
        rate: nats of a training digit's code; none without a bottleneck.
    """

    key: str
    title: str
    val: tuple[float, float]
    test: tuple[float, float]
    fit: tuple[float, float]
    learnt: tuple[float, float]
    rate: tuple[float, float] | None


def rows(record: Record) -> list[Row]:
    """The table of a run, a row for each setting, in their order."""

    def measure(what: str, key: str) -> tuple[float, float] | None:
        metric = record.metrics.get(f"{what}_{key}")
        return None if metric is None else (metric.mean, metric.std)

    keys = [str(key) for key in record.settings["settings_used"]]
    return [Row(key, SETTINGS[key].title, *(measure(what, key) for what in MEASURES)) for key in keys]  # type: ignore[arg-type]


def best(record: Record, family: str) -> Row:
    """The setting of a family that the validation digits choose: ``plain``, ``decay``, ``dropout`` or ``vib``.

    Raises:
        ValueError: if the run holds none of that family.
    """
    found = [row for row in rows(record) if row.key.partition("-")[0] == family]
    if not found:
        raise ValueError(f"the run has no setting of the family {family!r}")
    return max(found, key=lambda row: row.val[0])


def curve(record: Record, what: str, key: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Epochs, and the mean over the seeds of ``val`` (right answers to validation digits) or ``learnt`` (wrong labels learnt)."""
    per_epoch = int(record.settings["examples"]) // int(record.settings["batch"])
    return tuple(step / per_epoch for step in record.curve.steps), record.curve.mean(f"{what}_{key}")


def restore(record: Record, key: str) -> CodeNet:
    """The network of a setting of a shipped run, with its weights."""
    from kexue.training.experiment import with_settings

    experiment = with_settings(Forgetting(record.name), record.settings)
    assert isinstance(experiment, Forgetting)
    return experiment.restore(record.weights(), key)
