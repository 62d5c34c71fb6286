"""Digging and jumping in the plane: laws of two dimensions, an energy and a generator small enough to keep every moment of their training.

Networks are dictionaries of tensors and functions of them. A leading axis of the tensors is a stack of networks, so that one call
evaluates an energy at all the moments that were kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "LAWS", "LOSSES", "Law", "coverage", "critic_loss", "energy", "energy_distance", "force", "generate", "generator_loss",
    "gradient_penalty", "latent_lattice", "mlp", "new_mlp",
]  # fmt: skip

Parameters = Mapping[str, Tensor]
HALF_SIDE = 3.0  # the pictures show [-3, 3]²
REACH = 3.0  # a fake lies on the data if a centre is within so many standard deviations of the noise


# ------------------------------------------------------------------------------------------------------------------ the laws
@dataclass(frozen=True)
class Law:
    """A law in the plane: a centre drawn from a list, and round normal noise about it.

    Attributes:
        title: in words.
        spread: standard deviation σ of the noise.
        pits: number of pieces into which the law is cut for counting: the modes of a mixture, arcs of equal mass of a curve.
        piece: what a piece is called.
        curve: the centres ``(K, 2)``, all equally likely; K is a multiple of ``pits``, and centres in a row belong together.
    """

    title: str
    spread: float
    pits: int
    piece: str
    curve: Callable[[], Tensor]

    @property
    def centres(self) -> Tensor:
        """The centres ``(K, 2)``."""
        return self.curve()

    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Independent points ``(count, 2)``.

        Raises:
            ValueError: if ``count`` is less than 1.
        """
        if count < 1:
            raise ValueError(f"a sample needs at least one point, got count = {count}")
        centres = self.centres.to(generator.device)
        chosen = torch.randint(len(centres), (count,), generator=generator, device=generator.device)
        return centres[chosen] + self.spread * torch.randn(count, 2, generator=generator, device=generator.device)


@cache
def _ring() -> Tensor:
    angle = torch.arange(8) * (2 * math.pi / 8)
    return 2 * torch.stack([angle.cos(), angle.sin()], 1)


@cache
def _roll(arcs: int = 12, each: int = 32) -> Tensor:
    """A spiral r = aφ over one and a half turns, its centres equally far apart."""
    fine = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 200_001, dtype=torch.float64)
    points = (2.3 / fine[-1]) * fine[:, None] * torch.stack([fine.cos(), fine.sin()], 1)
    along = torch.cat([torch.zeros(1, dtype=torch.float64), points.diff(dim=0).norm(dim=1).cumsum(0)])
    wanted = (torch.arange(arcs * each, dtype=torch.float64) + 0.5) / (arcs * each) * along[-1]
    return points[torch.searchsorted(along, wanted)].float()


@cache
def _moons(arcs: int = 4, each: int = 32) -> Tensor:
    """Two half circles that reach into one another."""
    t = (torch.arange(arcs * each) + 0.5) / (arcs * each) * math.pi
    upper = torch.stack([t.cos() - 0.5, t.sin() - 0.25], 1)
    return 1.45 * torch.cat([upper, -upper])


LAWS: Mapping[str, Law] = {
    "ring": Law("a ring of eight modes", 0.1, 8, "modes", _ring),
    "roll": Law("a Swiss roll", 0.08, 12, "arcs", _roll),
    "moons": Law("two moons", 0.1, 8, "arcs", _moons),
}


# ------------------------------------------------------------------------------------------------------------------ the networks
def new_mlp(*widths: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Fresh weights of a network with the given widths: He's normal law, zero biases.

    Args:
        widths: of input, hidden layers and output; at least two.
        generator: source of the draws.

    Returns:
        ``w0 (n1, n0)``, ``b0 (n1,)``, ``w1`` …
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"a network needs at least two positive widths, got {widths}")
    made = {}
    for k, (fan, out) in enumerate(pairwise(widths)):
        gain = 2.0 if k + 2 < len(widths) else 1.0
        made[f"w{k}"] = torch.randn(out, fan, generator=generator, device=generator.device) * math.sqrt(gain / fan)
        made[f"b{k}"] = torch.zeros(out, device=generator.device)
    return made


# --8<-- [start:mlp]
def mlp(parameters: Parameters, x: Tensor) -> Tensor:
    """A network of affine maps with ``softplus``-like bends between them: SiLU, smooth, so that its gradient is a picture too.

    Args:
        parameters: ``w0 (…, n1, n0)``, ``b0 (…, n1)``, ``w1`` …; the leading axes are stacks of networks.
        x: inputs ``(N, n0)``, the same for all networks of a stack.

    Returns:
        Outputs ``(…, N, n)``.
    """
    layers = len(parameters) // 2
    for k in range(layers):
        x = x @ parameters[f"w{k}"].mT + parameters[f"b{k}"].unsqueeze(-2)  # (…, N, n)
        x = F.silu(x) if k + 1 < layers else x
    return x


def energy(parameters: Parameters, x: Tensor) -> Tensor:
    """The energy U of points ``(N, 2)``: shape ``(…, N)``, low where the reals are."""
    return mlp(parameters, x).squeeze(-1)


def generate(parameters: Parameters, z: Tensor) -> Tensor:
    """The fakes of latent points ``(N, 2)``: shape ``(…, N, 2)``."""
    return mlp(parameters, z)


# --8<-- [end:mlp]


def force(parameters: Parameters, x: Tensor) -> Tensor:
    """What pushes a fake at x: the downhill gradient :math:`-\\nabla U(x)` of one energy, shape ``(N, 2)``."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        return -torch.autograd.grad(energy(parameters, at).sum(), at)[0]


# ------------------------------------------------------------------------------------------------------------------ the losses
LOSSES = ("softplus", "linear")


# --8<-- [start:losses]
def gradient_penalty(parameters: Parameters, x: Tensor) -> Tensor:
    """:math:`E\\,\\|\\nabla U(x)\\|^2` over points ``(N, 2)``, differentiable in the parameters (R1 on reals, R2 on fakes)."""
    at = x.detach().requires_grad_()
    slope = torch.autograd.grad(energy(parameters, at).sum(), at, create_graph=True)[0]  # (N, 2)
    return slope.square().sum(1).mean()


def critic_loss(loss: str, parameters: Parameters, real: Tensor, fake: Tensor, penalty: float) -> Tensor:
    """What digging minimises: pits at the reals, hills at the fakes, and a price for steepness at the reals.

    .. math:: E_p\\,h(U(x)) + E_q\\,h(-U(x)) + \\lambda E_p\\|\\nabla U(x)\\|^2

    with h the identity (``linear``, the post's loss) or softplus.

    Raises:
        ValueError: unknown loss or a negative penalty.
    """
    if loss not in LOSSES or penalty < 0:
        raise ValueError(f"expected a loss out of {', '.join(LOSSES)} and a penalty >= 0, got {loss!r} and {penalty}")
    bend = F.softplus if loss == "softplus" else torch.nn.Identity()
    dug = bend(energy(parameters, real)).mean() + bend(-energy(parameters, fake.detach())).mean()
    return dug + penalty * gradient_penalty(parameters, real) if penalty > 0 else dug


def generator_loss(loss: str, parameters: Parameters, fake: Tensor) -> Tensor:
    """What jumping minimises: the mean energy :math:`E_q\\,h(U(G(z)))` of the fakes, the landscape held fixed."""
    height = energy({name: w.detach() for name, w in parameters.items()}, fake)
    return F.softplus(height).mean() if loss == "softplus" else height.mean()


# --8<-- [end:losses]


# ------------------------------------------------------------------------------------------------------------------ the judges
def latent_lattice(side: int) -> Tensor:
    """Latent points ``(side², 2)`` on a lattice whose cells have equal mass under the normal law: its image is the generator's net."""
    if side < 2:
        raise ValueError(f"a lattice needs at least two points a side, got {side}")
    z = torch.special.ndtri((torch.arange(side, dtype=torch.float64) + 0.5) / side).float()
    return torch.cartesian_prod(z, z)


def coverage(law: Law, fake: Tensor) -> tuple[Tensor, Tensor]:
    """How many pieces of a law its fakes cover, and which share of them lies on the data.

    A fake lies on the data if a centre is within ``REACH`` standard deviations. A piece is covered if at least a quarter of its fair
    share of the fakes lies on it.

    Args:
        law: with its pieces.
        fake: points ``(…, N, 2)``.

    Returns:
        The number of covered pieces and the share, each of shape ``(…)``.
    """
    distance, nearest = torch.cdist(fake, law.centres.to(fake)).min(-1)  # (…, N)
    good = distance <= REACH * law.spread
    piece = nearest // (len(law.centres) // law.pits)
    held = F.one_hot(piece, law.pits).mul(good.unsqueeze(-1)).sum(-2)  # (…, pits)
    return (held >= fake.shape[-2] / (4 * law.pits)).sum(-1), good.float().mean(-1)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """The energy distance :math:`2E|X-Y|-E|X-X'|-E|Y-Y'|` of two samples ``(N, d)`` and ``(M, d)``, without bias (Székely, Rizzo 2013)."""
    if min(len(x), len(y)) < 2:
        raise ValueError(f"the energy distance needs at least two points a side, got {len(x)} and {len(y)}")
    within = sum(float(torch.pdist(s.double()).mean()) for s in (x, y))
    return 2 * float(torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist").mean()) - within
