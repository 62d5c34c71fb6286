from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Tiny

import kexue.training
from kexue.training import Experiment, Run, experiments, find, register, registry
from kexue.training import run as run_module
from kexue.training.experiment import differences, with_settings
from kexue.training.registry import folder_of, module_of
from kexue.training.run import DeviceError, choose_device, make_fabric
from kexue.training.speed import why_not_bf16


def test_choose_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(DeviceError, match="no GPU here"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"
    with pytest.raises(ValueError, match="one of auto, cpu, cuda"):
        choose_device("tpu")


def test_precision_is_checked() -> None:
    with pytest.raises(ValueError, match="bf16-mixed"):
        make_fabric("cpu", "half")


@pytest.mark.slow  # asks another process whether bf16 works
def test_bf16_computes_in_bf16() -> None:
    if reason := why_not_bf16():
        pytest.skip(reason)
    run = Run(precision="bf16-mixed")
    (model,) = run.setup(torch.nn.Linear(4, 4))
    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    out = model(x)
    exact = model.module(x)
    assert not torch.equal(out.float(), exact)  # rounded …
    assert torch.allclose(out.float(), exact, atol=0.05)  # … to the 8 bits of bf16


def test_fabric_from_either_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def only_the_whole(name: str) -> Any:
        if name == "lightning_fabric":
            raise ImportError(name)
        return real("lightning_fabric" if name == "lightning.fabric" else name)

    monkeypatch.setattr(run_module.importlib, "import_module", only_the_whole)
    assert run_module._fabric_class().__name__ == "Fabric"


def test_generator_honours_the_seed() -> None:
    draws = [torch.randn(3, generator=Run(seed=s).generator) for s in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_to_device_and_batches() -> None:
    run = Run(seed=5)
    (x,) = run.to_device(torch.ones(2))
    assert x.device == run.fabric.device
    assert (run.rank, run.world) == (0, 1)
    assert run.batches(10, 5).seed == 5


def test_a_run_without_state_file_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run()
    run.save_state({"step": 1})
    assert run.read_state() is None
    assert list(tmp_path.iterdir()) == []


def test_settings_are_plain_and_come_back() -> None:
    tiny = Tiny(rate=0.3, hidden=(5, 6))
    assert tiny.settings() == {"steps": 60, "batch": 8, "rate": 0.3, "hidden": [5, 6]}
    assert with_settings(Tiny(), tiny.settings()) == tiny
    with pytest.raises(ValueError, match=r"has no setting speed; it has .*steps"):
        with_settings(Tiny(), {"speed": 1})


def test_settings_must_be_plain() -> None:
    @dataclasses.dataclass(frozen=True)
    class Odd(Experiment):
        what: Any = None

    assert Odd("a/b", what=(1, ("x", None))).settings() == {"what": [1, ["x", None]]}
    with pytest.raises(ValueError, match=r"'what' must be a number.*got dict"):
        Odd("a/b", what={}).settings()


def test_differences() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    assert differences({"a": 1}, {"b": None}) == ["a: 1 then, absent now", "b: absent then, None now"]


def test_the_base_is_abstract() -> None:
    base = Experiment("a/b")
    assert base.small() is base
    assert base.title == "a/b"
    for call in (lambda: base.train(Run()), lambda: base.evaluate({}, Run()), base.data):
        with pytest.raises(NotImplementedError):
            call()


@pytest.mark.parametrize(
    ("names", "match"),
    [(("one",), "experiment/run"), (("a/b/c",), "experiment/run"), (("a/B",), "kebab"), (("a/b", "a/b"), "two experiments")],
)
def test_register_refuses(names: tuple[str, ...], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        register(*(Tiny(name) for name in names))


def test_experiments_are_found_by_their_modules() -> None:
    known = experiments()
    assert list(known) == sorted(known)
    assert known["gumbel-softmax/mnist-st"] == find("gumbel-softmax/mnist-st")
    with pytest.raises(KeyError, match="did you mean gumbel-softmax/mnist-rloo"):
        find("gumbel-softmax/mnist-rlo")


def test_experiments_of_several_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library_of_parts"
    for part, name in (("mathematics", "zeta/one"), ("generative", "alpha/two"), ("generative", "alpha/one")):
        (library / part).mkdir(parents=True, exist_ok=True)
        line = f"EXPERIMENTS = register(Experiment({name!r}))"
        path = library / part / f"{name.replace('/', '_')}_experiments.py"
        path.write_text(f"from kexue.training import Experiment, register\n{line}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "PACKAGE", library)
    assert list(experiments()) == ["alpha/one", "alpha/two", "zeta/one"]
    assert find("zeta/one").name == "zeta/one"
    (library / "generative" / "again_experiments.py").write_text(path.read_text())
    with pytest.raises(ValueError, match="two experiments are named 'alpha/one'"):
        experiments()
    (library / "generative" / "again_experiments.py").rename(library / "generative" / "empty_experiments.py")
    (library / "generative" / "empty_experiments.py").write_text("")
    with pytest.raises(ValueError, match=r"generative\.empty_experiments declares no experiments"):
        experiments()


def test_where_an_experiment_lives() -> None:
    experiment = find("gumbel-softmax/mnist-st")
    assert module_of(experiment) == "kexue.mathematics.gumbel_softmax_experiments:CategoricalVAE"
    assert folder_of(experiment).parts[-5:] == ("kexue", "mathematics", "runs", "gumbel-softmax", "mnist-st")


def test_names_are_imported_at_first_use() -> None:
    code = (
        "import sys, kexue.training; print('torch' in sys.modules);"
        "kexue.training.Experiment; print('torch' in sys.modules);"
        "kexue.training.Run; print('torch' in sys.modules, 'lightning_fabric' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False", "True", "False"]


def test_every_public_name_is_there() -> None:
    for name in kexue.training.__all__:
        assert getattr(kexue.training, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kexue.training.nothing
