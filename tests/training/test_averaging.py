from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_gan import TinyGan, bits
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kexue.training import Interrupted, Run
from kexue.training.averaging import Ema, swapped


def network(seed: int = 0) -> nn.Sequential:
    """A network with parameters, averaged statistics and a counter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def wander(model: nn.Module, step: int) -> None:
    """Change all parameters, and the statistics by a forward pass."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        model(torch.randn(8, 3, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("buffers", [False, True])
def test_equals_that_of_torch(buffers: bool) -> None:
    model = network()
    mine = Ema(model, 0.9, buffers=buffers)
    oracle = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=buffers)
    oracle.update_parameters(model)  # its first call copies
    for step in range(25):
        wander(model, step)
        mine.update()
        oracle.update_parameters(model)
    for name, expected in oracle.module.state_dict().items():
        if name.endswith("tracked") and buffers:
            continue  # torch averages whole numbers too, and rounds them: 15 of 25 batches
        torch.testing.assert_close(mine.module.state_dict()[name], expected, rtol=1e-12, atol=1e-12)
    assert mine.module.state_dict()["1.num_batches_tracked"] == 25
    statistics = model.state_dict()["1.running_mean"]
    assert torch.equal(mine.module.state_dict()["1.running_mean"], statistics) is not buffers


@settings(deadline=None, max_examples=30)
@given(decay=st.floats(0, 0.999), values=st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_closed_form(decay: float, values: list[float]) -> None:
    r"""Θ_n = αⁿ Θ_0 + (1 − α) Σ αⁿ⁻ᵏ θ_k."""
    model = nn.Linear(1, 1, bias=False).double().requires_grad_(False)
    model.weight.fill_(2.0)
    average = Ema(model, decay)
    for value in values:
        model.weight.fill_(value)
        average.update()
    n = len(values)
    expected = decay**n * 2.0 + (1 - decay) * sum(decay ** (n - k) * v for k, v in enumerate(values, 1))
    assert average.module.weight.item() == pytest.approx(expected, abs=1e-11)


def test_warm_up_is_the_plain_mean_until_the_memory_is_full() -> None:
    model = nn.Linear(1, 1, bias=False).double().requires_grad_(False)
    model.weight.fill_(0.0)
    average = Ema(model, 0.95, warm_up=1)
    for k in range(1, 31):
        model.weight.fill_(float(k * k))
        average.update()
        if k <= 19:  # 19 / 20 = 0.95
            assert average.module.weight.item() == pytest.approx(sum(i * i for i in range(k + 1)) / (k + 1), rel=1e-12)
    assert average.decay_at(19) == average.decay_at(1000) == 0.95
    assert [Ema(model, 0.999, warm_up=9).decay_at(n) for n in (1, 9, 10**6)] == [0.1, 0.5, 0.999]


def test_a_constant_is_a_fixed_point_and_the_copy_is_apart() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    average = Ema(model, 0.99)
    for _ in range(5):
        average.update()
    for name, tensor in average.module.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=1e-14, atol=1e-15)
    assert not any(p.requires_grad for p in average.module.parameters())
    assert all(p.requires_grad for p in model.parameters())
    assert not average.module.training
    assert model.training


def test_average_of_a_linear_map_is_the_average_of_its_outputs() -> None:
    model = nn.Linear(3, 2).double()
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    average = Ema(model, 0.8)
    outputs = model(x).detach()
    for step in range(10):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64))
        average.update()
        outputs = 0.8 * outputs + 0.2 * model(x).detach()
    torch.testing.assert_close(average.module(x), outputs, rtol=1e-12, atol=1e-12)


def test_goes_on_from_a_state() -> None:
    model = network()
    whole, first = Ema(model, 0.9, warm_up=3), Ema(model, 0.9, warm_up=3)
    other: Ema[nn.Module] | None = None
    for step in range(12):
        wander(model, step)
        whole.update()
        if step == 5:
            other = Ema(model, 0.9, warm_up=3)
            other.load_state_dict(first.state_dict())
        (other or first).update()
    assert other is not None
    assert other.updates == 12
    assert bits(other.module.state_dict()) == bits(whole.module.state_dict())


def test_swapped_and_back() -> None:
    model, average = network(0), network(1)
    x = torch.ones(2, 3, dtype=torch.float64)
    model.eval()
    average.eval()
    before, there = bits(model.state_dict()), average(x)
    with swapped(model, average):
        assert torch.equal(model(x), there)
    assert bits(model.state_dict()) == before
    assert torch.equal(average(x), there)
    with pytest.raises(ZeroDivisionError), swapped(model, average):
        _ = 1 / 0
    assert bits(model.state_dict()) == before
    with pytest.raises(ValueError, match="cannot be swapped"), swapped(model, nn.Linear(3, 4)):
        pass


def test_the_copy_follows_to_another_device() -> None:
    model = nn.Linear(2, 2)
    average = Ema(model, 0.5)
    average.module.to("meta")
    model.to("meta")
    average.update()  # both there: nothing to move
    assert average.updates == 1
    average = Ema(nn.Linear(2, 2), 0.5)
    average.source.to("meta")
    average.update()
    assert {p.device.type for p in average.module.parameters()} == {"meta"}


@pytest.mark.parametrize(("decay", "warm_up", "match"), [(1.0, 0, "decay"), (-0.1, 0, "decay"), (0.9, -1, "warm-up")])
def test_impossible(decay: float, warm_up: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Ema(nn.Linear(1, 1), decay, warm_up=warm_up)


def test_too_coarse_a_type() -> None:
    with pytest.raises(ValueError, match=r"weight is torch\.bfloat16, too coarse"):
        Ema(nn.Linear(1, 1).bfloat16(), 0.999)
    assert Ema(nn.Linear(1, 1).bfloat16(), 0.9).module.weight.dtype == torch.bfloat16


# ------------------------------------------------------------------------------------------- two models, two optimisers, one average
def result(gan: TinyGan, path: Path | None = None) -> tuple[dict[str, Tensor], list[tuple[int, dict[str, float]]]]:
    run = Run(seed=1, state_file=path, settings=gan.settings(), save_every=0.0)
    return gan.train(run), run.curve


@pytest.mark.parametrize("keep_best", [False, True])
def test_a_gan_with_two_optimisers_and_an_average_resumes_bit_by_bit(tmp_path: Path, keep_best: bool) -> None:
    gan = TinyGan(keep_best=keep_best)
    whole, curve = result(gan)
    assert whole.keys() == {f"{part}.{name}" for part in ("generator", "critic", "average") for name in ("weight", "bias")}
    path = tmp_path / "state"
    for at in (3, 16, 17, 31):
        with pytest.raises(Interrupted, match=f"step {at} of 40"):
            result(TinyGan(keep_best=keep_best, interrupt_at=at), path)
    broken, broken_curve = result(gan, path)
    assert bits(broken) == bits(whole)
    assert broken_curve == curve
    assert bits(result(gan, path)[0]) == bits(whole)  # from the state of the finished training


def test_the_best_average_is_kept_with_the_best_weights() -> None:
    last, _ = result(TinyGan())
    best, curve = result(TinyGan(keep_best=True))
    least = min(point["distance"] for _, point in curve)
    assert least < curve[-1][1]["distance"]
    model = nn.Linear(2, 2)
    model.load_state_dict({name: best[f"average.{name}"] for name in ("weight", "bias")})
    assert TinyGan.distance(model) == least
    assert bits(last) != bits(best)
