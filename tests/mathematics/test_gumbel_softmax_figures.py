"""The explorers answer with the right numbers, and the plots say what they show."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kexue.mathematics import gumbel_softmax as gs
from kexue.mathematics import gumbel_softmax_figures as explorers
from kexue.mathematics import gumbel_softmax_laws as laws
from kexue.mathematics import gumbel_softmax_plots as plots
from kexue.mathematics.gumbel_softmax_arena import Score, enumerate_codes, fit_digit_decoder
from kexue.mathematics.gumbel_softmax_vae import DiscreteVAE


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------------------------------ the read-outs
@pytest.mark.parametrize("tau", [0.05, 0.3, 1.0, 5.0])
def test_moments_on_the_simplex_agree_with_autograd_on_draws(tau: float) -> None:
    count = 200_000
    logits = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64).expand(count, 3).clone().requires_grad_()
    y = gs.gumbel_softmax(logits, tau, generator=rng(1))
    slope = torch.autograd.grad(y[:, 0].sum(), logits)[0][:, 0]
    found = explorers.simplex_moments(tau, 0.5, -1.0)
    error = float(slope.std()) / math.sqrt(count)
    assert found["grad_mean"] == pytest.approx(float(slope.mean()), abs=4.5 * error)
    fourth = float(((slope - slope.mean()) ** 4).mean())
    spread = math.sqrt(fourth / count)  # standard error of the variance, at most
    assert found["grad_sd"] ** 2 == pytest.approx(float(slope.var()), abs=4.5 * spread)  # type: ignore[operator]
    assert np.asarray(found["soft_mean"]) == pytest.approx(y.detach().mean(0).numpy(), abs=4e-3)
    assert found["peaked"] == pytest.approx(100 * float((y.max(1).values > 0.95).double().mean()), abs=0.7)


def test_temperature_explorer_draws_the_library_s_samples_and_density() -> None:
    explorer = explorers.temperature()
    assert explorer.data_bytes < 150_000
    noise = gs.gumbel_noise((explorers.DRAWS, 3), generator=rng(6705), dtype=torch.float64)
    for tau, a, b in [(1.0, 1.0, 0.0), (0.2, -1.5, 0.7)]:
        explorer.controls["tau"].value, explorer.controls["a"].value, explorer.controls["b"].value = tau, a, b
        tau, a, b = (explorer.controls[n].value for n in ("tau", "a", "b"))  # sliders may round
        values = explorer.values()
        logits = torch.tensor([a, b, 0.0], dtype=torch.float64)
        y = gs.gumbel_softmax(logits, tau, noise=noise)
        assert values["shown"] == pytest.approx(y.numpy(), abs=1e-9)
        lattice = torch.as_tensor(np.exp(values["log_lattice"]))
        density = laws.concrete_log_density(lattice, logits, tau).clamp(-2, 3.5)
        assert values["density"] == pytest.approx(density.numpy(), abs=1e-9)
        assert float(np.sum(values["frequency"])) == pytest.approx(1)
        assert float(np.sum(values["counts"])) == pytest.approx(100, abs=1e-9)
    explorer.controls["hard"].value = 1
    values = explorer.values()
    assert values["forward_mean"] == pytest.approx(values["prob"])
    assert bool((values["shown"].max(-1) >= 0.93).all())
    assert "nearly one-hot" in explorer.say()


def test_sine_explorer_shows_the_closed_forms() -> None:
    explorer = explorers.sine_race()
    for freq in (0.5, 2.0, 3.0):
        explorer.controls["freq"].value = freq
        values = explorer.values()
        expected = laws.sine_variances(torch.tensor(freq, dtype=torch.float64))
        assert (float(values["path_var"]), float(values["score_var"])) == pytest.approx([v.item() for v in expected], abs=1e-12)
        assert float(values["exact"]) == pytest.approx(freq * math.exp(-(freq**2) / 2))
    assert explorer.data_bytes < 50_000


def test_code_flip_offers_the_latents_that_matter_most() -> None:
    model = DiscreteVAE(latents=4, classes=3, hidden=(16, 8), generator=rng())
    images = torch.randint(0, 256, (2, 28, 28), generator=rng(1), dtype=torch.uint8)
    explorer = explorers.code_flip(model.eval(), images, ["one", "two"], latents=2)
    first = explorer.values()
    explorer.controls["latent"].value = 1
    second = explorer.values()
    assert first["pictures"].shape == (3, 28, 28)
    assert float(first["moved"]) >= float(second["moved"]) > 0
    assert not np.array_equal(first["pictures"], second["pictures"])
    assert f"Latent {int(second['number'])}" in explorer.say()


# ------------------------------------------------------------------------------------------------------------------ the plots
WORDS = {"name": "fig-test", "alt": "a finding", "caption": "A finding."}


def test_verdict_writes_a_bias_only_where_there_is_one() -> None:
    assert plots.verdict(Score(bias=0.01, noise=0.02, sd=1.234, p_value=0.5)) == "0 / 1.23"
    assert plots.verdict(Score(bias=0.5, noise=0.02, sd=1.234, p_value=0.0)) == "0.500 / 1.23"
    assert plots.verdict(Score(bias=0.0, noise=0.0, sd=0.0, p_value=1.0)) == "0 / 0"
    assert Score(bias=0.5, noise=0.3, sd=1.0, p_value=0.0).excess == pytest.approx(0.4)
    assert Score(bias=0.1, noise=0.3, sd=1.0, p_value=0.5).excess == 0


def test_table_of_the_arena_holds_every_verdict() -> None:
    score = Score(bias=0.5, noise=0.02, sd=1.25, p_value=0.0)
    shown = plots.arena_table({"linear": {"SF": score, "ST": score}}, {"linear": 0.58}, name="tab-test", caption="c")
    assert repr(shown).count("0.500 / 1.25") == 2
    assert "linear (0.580)" in shown.markup


def test_figures_carry_their_words() -> None:
    tau = np.array([0.1, 1.0])
    moments = {"tau": [0.1, 1.0], "bias": [-0.1, -0.2], "variance": [0.3, 0.1]}
    names = ("SF", "GS, τ = 1", "ST", "RB ST-GS, S = 10")
    drawn = [
        plots.temperature_law(tau, moments, moments, 0.03, **WORDS),
        plots.plane(dict(zip(names, (0.0, 0.3, 0.5, 0.4), strict=True)), dict.fromkeys(names, 1.0), 0.02, **WORDS),
        plots.two_orders([0.1, 0.2, 0.4], {n: torch.tensor([0.01, 0.02, 0.05]) for n in ("ST", "ReinMax")}, **WORDS),
        plots.mean_of_race({"exact": torch.rand(2, 5, 3, generator=rng()) + 0.1, "ST": torch.ones(2, 5, 3)}, **WORDS),
        plots.bounds({"sf": ((1, 2), (180.0, 150.0)), "rloo": ((1, 2), (170.0, 130.0))}, **WORDS),
    ]
    for shown in drawn:
        assert repr(shown) == "[Figure: a finding]"
        assert "<svg" in shown.markup


def test_decoded_codes_are_pictures_of_probabilities() -> None:
    images = torch.rand(20, 64, generator=rng())
    net = fit_digit_decoder(images, steps=2)
    pictures = plots.decoded_codes(net, enumerate_codes(3, 4))
    assert pictures.shape == (64, 8, 8)
    assert bool(((pictures > 0) & (pictures < 1)).all())
    torch.testing.assert_close(torch.logit(pictures[3]).flatten(), net(enumerate_codes(3, 4)[3].flatten()))
