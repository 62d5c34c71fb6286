"""The command ``kexue``: list, train and evaluate the experiments of the book, and fetch its data.

    kexue list                                        what was trained on what, and what waits for a GPU
    kexue train NAME [NAME ...] [--small] [--device …]   train; goes on where a stopped training was
    kexue evaluate [NAME ...]                         compute the metrics of shipped weights again
    kexue data [NAME ...]                             fetch data sets

Heavy imports wait until a command needs them, so that ``kexue --help`` answers at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kexue.records import Record
    from kexue.training import Experiment

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: words after the command's name; those of the process if absent.

    Returns:
        The exit status: 0, 1 where something failed or does not agree, 2 for a wrong word, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status: int = options.run(options)
    except KeyboardInterrupt as stop:
        return _fail(str(stop) or "stopped", 130)
    except (KeyError, ValueError) as error:
        return _fail(str(error.args[0]) if error.args else repr(error), 2)
    except (RuntimeError, OSError) as error:  # all errors of records, states, data sets and devices are RuntimeErrors
        return _fail(str(error), 1)
    return status


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """A warning in one line, without the place in the code."""
    print(f"kexue: {message}", file=sys.stderr)


def _fail(message: str, status: int) -> int:
    print(f"kexue: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kexue", description="Train, evaluate and list the experiments of the book; fetch its data.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    lister = commands.add_parser("list", help="what was trained on what, and what waits for a GPU")
    lister.add_argument("pattern", nargs="?", default="*", help="only names that match, such as 'gumbel-softmax/*'")
    lister.add_argument("--names", action="store_true", help="names alone, one a line")
    lister.set_defaults(run=_list)

    trainer = commands.add_parser("train", help="train experiments; goes on where a stopped training was")
    trainer.add_argument("names", nargs="+", metavar="NAME", help="name or pattern; see: kexue list")
    trainer.add_argument("--small", action="store_true", help="settings for two CPU cores")
    trainer.add_argument("--seed", type=int, action="append", metavar="N", help="train this seed instead (may be given several times)")
    trainer.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another value of a setting, such as steps=1000")
    trainer.add_argument("--out", type=Path, help="folder of the runs (default: _build/runs in the project)")
    trainer.add_argument("--precision", help="32-true, bf16-mixed, 16-mixed or 64-true; for experiments with that setting")
    trainer.add_argument("--compile", choices=("off", "default", "graphs"), default="off", help="compile the networks (default: off)")
    trainer.add_argument("--channels-last", action="store_true", help="lay out images with their channels last in memory")
    trainer.add_argument("--quiet", action="store_true", help="no progress")
    _add_device(trainer)
    trainer.set_defaults(run=_train)

    judge = commands.add_parser("evaluate", help="compute the metrics of shipped weights again and compare with the record")
    judge.add_argument("names", nargs="*", metavar="NAME", help="all shipped runs if absent")
    judge.add_argument("--runs", type=Path, help="folder of runs made by train, instead of the shipped ones")
    _add_device(judge, default="cpu")
    judge.set_defaults(run=_evaluate)

    data = commands.add_parser("data", help="fetch data sets")
    data.add_argument("names", nargs="*", metavar="NAME", help="all if absent")
    data.set_defaults(run=_data)
    return parser


def _add_device(parser: argparse.ArgumentParser, default: str = "auto") -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=default, help=f"default: {default}")


# ---------------------------------------------------------------------------------------------------------------------------- list
def _list(options: argparse.Namespace) -> int:
    from kexue.records import shipped
    from kexue.training import experiments

    known = {name: e for name, e in experiments().items() if fnmatch.fnmatch(name, options.pattern)}
    if options.names:
        print("\n".join(known))
        return 0
    folders = shipped()
    rows = [("run", "weights from", "made", "waits for"), *(_row(e, folders.get(name)) for name, e in known.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    waiting = sum(row[3] == "a GPU" for row in rows)
    print(f"{len(known)} experiments, {len(known) - waiting} as they should be, {waiting} waiting for a GPU")
    return 0


def _row(experiment: Experiment, folder: Path | None) -> tuple[str, str, str, str]:
    from kexue.records import RecordError, read_record

    if folder is None:
        return experiment.name, "not trained yet", "", "a GPU"
    try:
        record = read_record(folder)
    except RecordError as error:
        return experiment.name, str(error), "", "repair"
    return experiment.name, str(record.device["name"]), record.made, "a GPU" if record.waiting_for_gpu else ""


# --------------------------------------------------------------------------------------------------------------------------- train
def _train(options: argparse.Namespace) -> int:
    from kexue.training import train
    from kexue.training.experiment import with_settings

    out = options.out or (ROOT / "_build" / "runs" if (ROOT / "make.py").is_file() else Path("runs"))
    for experiment in _chosen(options.names):
        chosen = dict(map(_setting, options.set)) | ({"precision": options.precision} if options.precision else {})
        experiment = with_settings(experiment, chosen)
        if options.seed:
            experiment = dataclasses.replace(experiment, seeds=tuple(options.seed))
        speed = {"compile": options.compile, "channels_last": options.channels_last}
        record = train(experiment, out, device=options.device, small=options.small, quiet=options.quiet, **speed)
        if record.folder is not None:  # the first of several processes reports
            _report(record, record.folder)
    return 0


def _setting(text: str) -> tuple[str, Any]:
    """A setting in the words of the command line.

    >>> _setting("rate=1e-3"), _setting("precision=bf16-mixed"), _setting("hidden=[64, 32]")
    (('rate', 0.001), ('precision', 'bf16-mixed'), ('hidden', [64, 32]))
    """
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise ValueError(f"a setting is given as KEY=VALUE, got {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _chosen(names: Sequence[str]) -> list[Experiment]:
    """The experiments of names and patterns, each once; a name that is no pattern must exist."""
    from kexue.training import experiments, find

    found: dict[str, Experiment] = {}
    for name in names:
        matching = [e for key, e in experiments().items() if fnmatch.fnmatch(key, name)]
        for experiment in matching or [find(name)]:
            found[experiment.name] = experiment
    return list(found.values())


def _report(record: Record, folder: Path) -> None:
    print(f"{record.name}: {', '.join(f'{name} {metric}' for name, metric in record.metrics.items())}")
    print(f"written to {folder}")


# ------------------------------------------------------------------------------------------------------------------------ evaluate
def _evaluate(options: argparse.Namespace) -> int:
    from kexue.records import load, read_record, shipped
    from kexue.training import evaluate, find

    folders = shipped()
    names = options.names or ([] if options.runs else list(folders))
    if not names:
        return _fail("name the runs to evaluate" if options.runs else "no run is named, and none is shipped", 2)
    failed = 0
    for name in names:
        experiment = find(name)
        record = read_record(options.runs / name) if options.runs else load(name)
        for c in evaluate(record, device=options.device, experiment=experiment):
            verdict = "agrees" if c.agrees else "DIFFERS"
            failed += not c.agrees
            print(f"{name}  {c.metric:<12} recorded {c.recorded:>11.4f}  found {c.found:>11.4f}  tolerance {c.tolerance:g}  {verdict}")
    return int(failed > 0)


# ---------------------------------------------------------------------------------------------------------------------------- data
def _data(options: argparse.Namespace) -> int:
    from kexue.datasets import cli_data

    return cli_data(options.names)
