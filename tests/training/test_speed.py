from __future__ import annotations

import pytest
import torch
from torch import nn

from kexue.training import Run, speed
from kexue.training.speed import SlowerWarning, check_precision, compiled, has_images, laid_out, why_not_compile


def test_a_device_that_has_not_the_numbers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "why_not_bf16", lambda: "")
    assert check_precision("bf16-mixed", "cpu") == "bf16-mixed"
    monkeypatch.setattr(speed, "why_not_bf16", lambda: "a matrix product ends with SIGILL")
    with pytest.raises(ValueError, match=r"does not work on this CPU \(a matrix product ends with SIGILL\): use 32-true"):
        check_precision("bf16-mixed", "cpu")
    with pytest.raises(ValueError, match="16-mixed needs a GPU"):
        check_precision("16-mixed", "cpu")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "An old GPU")
    with pytest.raises(ValueError, match="An old GPU has no bf16: use 16-mixed"):
        check_precision("bf16-mixed", "cuda")
    assert check_precision("16-mixed", "cuda") == "16-mixed"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("pass", ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "a matrix product ends with SIGILL"),
        ("raise RuntimeError('no primitive')", "RuntimeError: no primitive"),
        ("import sys; sys.exit(3)", "no message"),
    ],
)
def test_how_bf16_fails(monkeypatch: pytest.MonkeyPatch, code: str, reason: str) -> None:
    monkeypatch.setattr(speed, "_BF16", code)
    assert speed.why_not_bf16.__wrapped__() == reason


def test_uncompiled_where_the_compiler_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(2, 2)
    assert compiled(model, "off", "cpu") is model
    monkeypatch.setattr(speed, "why_not_compile", lambda device: "CppCompileError: no g++")
    with pytest.warns(SlowerWarning, match=r"torch.compile does not work here \(CppCompileError: no g\+\+\)"):
        assert compiled(model, "default", "cpu") is model
    with pytest.warns(SlowerWarning) as told:
        assert compiled(model, "graphs", "cpu") is model
    assert "CUDA graphs need a GPU" in str(told[0].message)
    with pytest.raises(ValueError, match="one of off, default, graphs, got 'fast'"):
        compiled(model, "fast", "cpu")


@pytest.mark.parametrize(("error", "words"), [(RuntimeError("no g++\nmore"), "RuntimeError: no g++"), (OSError(), "OSError: no message")])
def test_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "compile", fail)
    assert why_not_compile.__wrapped__("cpu") == words


def test_a_compiler_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: lambda x: function(x) + 0.1)
    assert why_not_compile.__wrapped__("cpu") == "its answer is wrong"


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_model_shares_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "why_not_compile", lambda device: "")
    model = nn.Linear(2, 2)
    made = compiled(model, "default", "cpu")
    assert made is not model
    assert {id(p) for p in made.parameters()} == {id(p) for p in model.parameters()}
    assert list(model.state_dict()) == ["weight", "bias"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_model_computes_the_same() -> None:
    if reason := why_not_compile("cpu"):
        pytest.skip(reason)
    run = Run(compile="default")
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    (made,) = run.setup(model)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made(x), model(x), rtol=1e-5, atol=1e-6)


def test_images_with_their_channels_last() -> None:
    run = Run(channels_last=True)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = net(x)
    (made,) = run.setup(net)
    images, rows = run.to_device(x, torch.ones(2, 3))
    assert images.stride()[1] == 1
    assert torch.equal(images, x)
    assert rows.stride() == (3, 1)
    assert net[0].weight.stride()[1] == 1
    torch.testing.assert_close(made(images), expected, rtol=1e-5, atol=1e-6)
    assert has_images(net)
    assert not has_images(nn.Linear(2, 2))
    assert laid_out(rows) is rows


def test_what_changes_the_last_bits_is_among_the_conditions_of_a_resumption() -> None:
    assert Run(seed=2, settings={"rate": 1}).conditions == {"rate": 1, "seed": 2}
    strange = Run(precision="64-true", compile="default", channels_last=True)
    assert strange.conditions == {"seed": 0, "precision": "64-true", "compile": "default", "channels_last": True}
    assert Run(precision="64-true", settings={"precision": "64-true"}).conditions == {"precision": "64-true", "seed": 0}
