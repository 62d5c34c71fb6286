"""Training runs in the plane whose every stage is kept: the weights that are shipped are a film of the training.

``kexue train energy-gan-plane/ring-softplus`` trains one of them, three seeds in about a minute on an idle core. Momentum is compared
with everything else equal. The linear loss is dug five times for each jump, as its users do; with softplus five digs make walls so
steep that the fakes stay in the pits where they first fell (four to six of eight modes in short runs), so it is dug once. Penalties were
settled by short runs of other seeds: on the ring 1 holds more modes than 0.1 or 0.3; with the linear loss 1 only puts the runaway off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from kexue.generative.energy_gan_plane import (
    LAWS,
    LOSSES,
    Law,
    coverage,
    critic_loss,
    energy,
    energy_distance,
    force,
    generate,
    generator_loss,
    new_mlp,
)
from kexue.training import Experiment, fit, register

if TYPE_CHECKING:
    from kexue.records import Record
    from kexue.training import Run

JUDGE_SEED = 6316
JUDGED = 2048  # reals and fakes that judge a moment
EARLY = 500  # steps within which a divergence is asked for


# --8<-- [start:experiment]
@dataclass(frozen=True)
class PlaneGAN(Experiment):
    """An energy and a generator in the plane, dug and jumped in turn.

    Attributes:
        law: key of ``energy_gan_plane.LAWS``.
        loss: ``softplus`` or ``linear``.
        penalty: λ of the squared gradient at the reals.
        momentum: β₁ of both Adams.
        digs: steps of the energy for one of the generator.
        rate: learning rate of both.
        steps: steps of the generator.
        batch: reals and fakes in a step.
        width: of the two hidden layers of both networks.
        frames: moments kept, the first before the first step, the last after the last.
        precision: of the training.
    """

    law: str = "ring"
    loss: str = "softplus"
    penalty: float = 1.0
    momentum: float = 0.0
    digs: int = 1
    rate: float = 3e-3
    steps: int = 2000
    batch: int = 128
    width: int = 64
    frames: int = 32
    precision: str = "32-true"
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.02, "modes": 1.0, "modes_late": 0.3, "slope": 0.1}

    def __post_init__(self) -> None:
        if self.law not in LAWS or self.loss not in LOSSES:
            known = f"a law out of {', '.join(LAWS)} and a loss out of {', '.join(LOSSES)}"
            raise ValueError(f"expected {known}, got {self.law!r} and {self.loss!r}")
        if not 0 <= self.momentum < 1 or self.penalty < 0:
            raise ValueError(f"expected 0 <= momentum < 1 and penalty >= 0, got {self.momentum} and {self.penalty}")
        if self.frames < 2 or self.steps < self.frames**2 / 2:
            raise ValueError(f"{self.steps} steps have no {self.frames} different moments, denser at the beginning")

    @property
    def title(self) -> str:
        penalty = f"penalty {self.penalty:g} at the reals" if self.penalty else "no penalty"
        return f"digging and jumping on {LAWS[self.law].title}: {self.loss} loss, {penalty}, momentum {self.momentum:g}"

    @property
    def moments(self) -> tuple[int, ...]:
        """The steps after which the networks are kept; their square roots are equally far apart."""
        last = self.frames - 1
        return tuple(round(self.steps * (k / last) ** 2) for k in range(self.frames))

    def data(self) -> dict[str, Any]:
        law = LAWS[self.law]
        content = law.centres.double().mul(1e4).round().to(torch.int64).numpy().tobytes() + repr((law.spread, law.pits)).encode()
        used = "drawn afresh for every step; others to judge"
        return {"name": self.law, "title": law.title, "version": "1", "sha256": hashlib.sha256(content).hexdigest(), "used": used}

    def train(self, run: Run) -> dict[str, Tensor]:
        """Train one seed; the weights are the film: each tensor with a leading axis of moments."""
        if run.world > 1:
            raise ValueError("these networks are smaller than a message between processes: train them in one")
        law, draw, device = LAWS[self.law], run.generator, run.fabric.device
        dug = torch.nn.ParameterDict(new_mlp(2, self.width, self.width, 1, generator=draw)).to(device)
        jumper = torch.nn.ParameterDict(new_mlp(2, self.width, self.width, 2, generator=draw)).to(device)
        digger, leaper = (torch.optim.Adam(p.parameters(), lr=self.rate, betas=(self.momentum, 0.99), fused=True) for p in (dug, jumper))
        u, g = dict(dug.items()), dict(jumper.items())
        film = Film(len(self.moments))
        places = {step: k for k, step in enumerate(self.moments)}

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            if number - 1 in places:
                film.keep(places[number - 1], u, g)
            for _ in range(self.digs):
                real = law.sample(self.batch, generator=draw)
                with torch.no_grad():
                    fake = generate(g, torch.randn(self.batch, 2, generator=draw, device=device))
                dig = critic_loss(self.loss, u, real, fake, self.penalty)
                digger.zero_grad()
                run.fabric.backward(dig)
                digger.step()
            jump = generator_loss(self.loss, u, generate(g, torch.randn(self.batch, 2, generator=draw, device=device)))
            leaper.zero_grad()
            run.fabric.backward(jump)
            leaper.step()
            return {"dig": dig, "jump": jump}

        # --8<-- [end:step]

        real, z = self.judging()
        parts = {"energy": dug, "generator": jumper, "digger": digger, "leaper": leaper, "film": film}

        def judge(number: int) -> dict[str, float]:
            return moment(law, {n: w.detach() for n, w in u.items()}, {n: w.detach() for n, w in g.items()}, real.to(device), z.to(device))

        fit(run, step, steps=self.steps, parts=parts, judge=judge, judge_every=max(1, self.steps // 50))
        film.keep(places[self.steps], u, g)
        return film.state_dict()

    def judging(self) -> tuple[Tensor, Tensor]:
        """The reals and the latent points that judge every moment."""
        draw = torch.Generator().manual_seed(JUDGE_SEED)
        return LAWS[self.law].sample(JUDGED, generator=draw), torch.randn(JUDGED, 2, generator=draw)

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """The last moment judged, the pieces held on average from half-time on, and the highest energies (their logarithms)."""
        law, device = LAWS[self.law], run.fabric.device
        real, z = (x.to(device) for x in self.judging())
        u, g = networks({n: w.to(device) for n, w in weights.items()})
        found = [moment(law, pick(u, k), pick(g, k), real, z) for k in range(self.frames)]
        fake = generate(pick(g, -1), z)
        late = [m["modes"] for m, step in zip(found, self.moments, strict=True) if 2 * step >= self.steps]
        early = max(m["height"] for m, step in zip(found, self.moments, strict=True) if step <= EARLY)
        return {
            "modes": found[-1]["modes"],
            "modes_late": sum(late) / len(late),
            "on_data": found[-1]["on_data"],
            "energy_distance": energy_distance(fake, real),
            "slope": float(force(pick(u, -1), real).norm(dim=1).mean().log10()),
            "height": float(torch.tensor(found[-1]["height"]).log10()),
            "height_early": float(torch.tensor(early).log10()),
        }


# --8<-- [start:film]
class Film:
    """The moments kept of a training: both networks, stacked along a leading axis. A part of the training's state."""

    def __init__(self, moments: int) -> None:
        self.moments = moments
        self.stacks: dict[str, Tensor] = {}

    def keep(self, place: int, u: Mapping[str, Tensor], g: Mapping[str, Tensor]) -> None:
        """Write both networks into a place of the film."""
        for prefix, parameters in (("energy", u), ("generator", g)):
            for name, w in parameters.items():
                key = f"{prefix}.{name}"
                if key not in self.stacks:
                    self.stacks[key] = torch.zeros(self.moments, *w.shape)
                self.stacks[key][place] = w.detach().cpu()

    def state_dict(self) -> dict[str, Tensor]:
        """The stacks, as they are shipped."""
        return dict(self.stacks)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The stacks of a state."""
        self.stacks = dict(state)


# --8<-- [end:film]


def networks(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Energy and generator, each a stack over the moments, in single precision."""
    cut = {p: {n.removeprefix(p): w.float() for n, w in weights.items() if n.startswith(p)} for p in ("energy.", "generator.")}
    return cut["energy."], cut["generator."]


def pick(stack: Mapping[str, Tensor], place: int) -> dict[str, Tensor]:
    """The networks of one moment out of a stack."""
    return {n: w[place] for n, w in stack.items()}


@torch.no_grad()
def moment(law: Law, u: Mapping[str, Tensor], g: Mapping[str, Tensor], real: Tensor, z: Tensor) -> dict[str, float]:
    """Judge a moment: pieces covered, share of fakes on data, mean energies of both, the greatest magnitude of U."""
    fake = generate(g, z)
    held, good = coverage(law, fake)
    high, low = energy(u, fake), energy(u, real)
    top = torch.cat([high, low]).abs().max()
    return {
        "modes": float(held), "on_data": float(good), "u_real": float(low.mean()), "u_fake": float(high.mean()), "height": float(top),
    }  # fmt: skip


def _run(name: str, **settings: Any) -> PlaneGAN:
    return PlaneGAN(f"energy-gan-plane/{name}", **settings)


EXPERIMENTS = register(
    _run("ring-softplus"),
    _run("ring-linear", loss="linear", digs=5, penalty=0.3),
    _run("ring-free", loss="linear", penalty=0.0, digs=5),
    _run("ring-momentum", momentum=0.9),
    _run("roll-softplus", law="roll", penalty=0.3),
    _run("moons-softplus", law="moons", penalty=0.3),
)


def restore(record: Record) -> tuple[PlaneGAN, dict[str, Tensor], dict[str, Tensor]]:
    """The settings of a shipped run, and its energies and generators, stacked over the moments."""
    from kexue.training.experiment import with_settings

    experiment = with_settings(PlaneGAN(record.name), record.settings)
    assert isinstance(experiment, PlaneGAN)
    return experiment, *networks(record.weights())
