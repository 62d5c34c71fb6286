"""Dig with a small network on the line: which losses and penalties keep the energy bounded while the fakes stand still."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kexue.generative.energy_gan_losses import dig, gradient_penalty, penalty_points

__all__ = ["dig_network"]


# --8<-- [start:dig]
def dig_network(
    real: Tensor,
    fake: Tensor,
    kind: str = "linear",
    *,
    where: str = "real",
    weight: float = 0.0,
    steps: int = 250,
    generator: torch.Generator,
    width: int = 32,
    rate: float = 1e-2,
) -> Tensor:
    """Train an energy of one variable, two hidden layers, by Adam on all points at once.

    Args:
        real: data ``(n,)``.
        fake: fakes that do not move ``(n,)``.
        kind: the loss, see ``energy_gan_losses.LOSSES``.
        where: the place of the penalty, see ``energy_gan_losses.PLACES``.
        weight: λ of the penalty, 0 for none.
        steps: of Adam.
        generator: source of the first weights and of the places.
        width: of the hidden layers.
        rate: step size of Adam.

    Returns:
        The largest magnitude of U among all points, measured from the data's mean energy, after each step ``(steps,)``.

    Raises:
        ValueError: an unknown loss or place, or data and fakes of different shape.
    """
    if real.ndim != 1 or real.shape != fake.shape:
        raise ValueError(f"data and fakes must be points (n,) of one shape, got {tuple(real.shape)} and {tuple(fake.shape)}")
    linear = [nn.Linear(1, width), nn.Linear(width, width), nn.Linear(width, 1)]
    for layer in linear:
        bound = layer.in_features**-0.5  # PyTorch's own, but from this generator
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    network = nn.Sequential(linear[0], nn.Softplus(), linear[1], nn.Softplus(), linear[2])

    def energy(x: Tensor) -> Tensor:
        u: Tensor = network(x)
        return u.squeeze(-1)

    real, fake = real[:, None].float(), fake[:, None].float()
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.9))
    height = []
    for _ in range(steps):
        u_real, u_fake = energy(real), energy(fake)
        loss = dig(u_real, u_fake, kind)
        if weight:
            loss = loss + weight * gradient_penalty(energy, penalty_points(where, real, fake, generator=generator))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        height.append((torch.cat([u_real, u_fake]) - u_real.mean()).abs().max().detach())
    return torch.stack(height)


# --8<-- [end:dig]
