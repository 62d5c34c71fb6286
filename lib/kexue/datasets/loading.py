"""Getting a data set: from the cache, else from its sources in order; every content is checked by its hash before it is used."""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from . import store
from .archives import ArchiveError, open_archive
from .catalogue import SPECS
from .clients import SourceError, Tick
from .sources import Source
from .spec import DataError, Dataset, Info, Spec

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["cli_data", "fetch", "info", "load", "names", "table"]

Arrays = dict[str, NDArray[Any]]
_ATTEMPTS = 2  # a damaged download is fetched once more


def names() -> tuple[str, ...]:
    """The names of all data sets of the book."""
    return tuple(SPECS)


def info(name: str) -> Info:
    """The description of a data set, whether or not it is on the disk.

    Raises:
        ValueError: there is no such data set; near names are suggested.
    """
    return _spec(name).info


def load(name: str, *, split: str | None = None) -> Dataset:
    """Load a data set that is on the disk.

    Args:
        name: one of :func:`names`.
        split: one of the description's splits, ``None`` for all rows, the splits one after the other.

    Returns:
        The data set. Each call reads it anew: a caller may change the tensors.

    Raises:
        ValueError: unknown name or split.
        DataError: not on the disk, or damaged. No network is touched here.
    """
    spec = _spec(name)
    rows = slice(None) if spec.info.kind == "weights" and split is None else spec.info.rows(split)
    columns = store.unpack(_on_disk(spec))
    rows_of = {key: slice(None) if key in spec.info.whole else rows for key in columns}
    return Dataset(spec.info, split, {key: _column(value, rows_of[key]) for key, value in columns.items()})


def fetch(names: str | Iterable[str] = (), *, progress: bool = True) -> list[Path]:
    """See to it that data sets are on the disk, fetching those that are not.

    Args:
        names: which ones; all of the book when empty.
        progress: show a bar on the standard error output, a line where that is no terminal.

    Returns:
        The files of the cache.

    Raises:
        ValueError: unknown name.
        DataError: no source gave a set, or the disk is full or read-only.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    specs = [_spec(name) for name in wanted] or list(SPECS.values())
    return [_fetch(spec, progress) for spec in specs]


def table() -> list[dict[str, str]]:
    """The rows of the book's data table, a dictionary a data set; nothing needs to be on the disk."""
    return [_row(spec.info) for spec in SPECS.values()]


def cli_data(names: Iterable[str] = (), *, progress: bool = True) -> int:
    """The command ``kexue data [NAME ...]``: fetch what is missing and say what is there.

    Returns:
        The exit status: 0, or 1 when a set is not to be had (the others are fetched all the same), 2 for an unknown name.
    """
    wanted = list(names) or list(SPECS)
    try:
        specs = [_spec(name) for name in wanted]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    failed = False
    for spec in specs:
        try:
            path = _fetch(spec, progress)
        except DataError as error:
            print(error, file=sys.stderr)
            failed = True
        else:
            print(f"{spec.info.name:<18} {spec.info.count:>9,} {spec.info.unit:<7} {_megabytes(path.stat().st_size):>9}   {path}")
    return int(failed)


def _spec(name: str) -> Spec:
    if name in SPECS:
        return SPECS[name]
    near = difflib.get_close_matches(name, SPECS, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    raise ValueError(f"unknown data set {name!r}{hint} Known: {', '.join(SPECS)}")


def _on_disk(spec: Spec) -> Arrays:
    """The content from the cache, from a file put there by hand, or from an installed package."""
    damage = ""
    try:
        return store.read(spec.info)
    except FileNotFoundError:
        pass
    except DataError as error:
        damage = f" {error}."
    for path, source in _candidates(spec):
        with contextlib.suppress(SourceError, ArchiveError, OSError):
            arrays = _decode(spec, path or source.fetch(store.folder(), _silent), source)
            if not damage:
                with contextlib.suppress(DataError), store.scratch(spec.info.name) as part:
                    store.write(spec.info, arrays, part)
            return arrays
    name = spec.info.name
    raise DataError(f"data set {name!r} is not on the disk ({store.folder()}).{damage} Fetch it: python3 make.py data {name}")


def _candidates(spec: Spec) -> Iterator[tuple[Path | None, Source]]:
    """What can be had with no network: files that lie in the data folder, then local sources."""
    folder = store.folder()
    for source in spec.sources:
        found = [path for pattern in source.files for path in sorted(folder.glob(pattern))]
        whole = len({path.name for path in found}) >= len(source.files)
        if found and (source.archived or whole):
            yield (found[0] if source.archived else folder), source
    for source in spec.sources:
        if source.local:
            yield None, source


def _decode(spec: Spec, path: Path, source: Source) -> Arrays:
    """Read an archive and check what it holds.

    Raises:
        SourceError: its hash or that of its content is wrong, or it can't be read.
    """
    source.check(path)
    try:
        arrays = store.pack(spec.decode(open_archive(path, source.root)))
    except (ArchiveError, KeyError, ValueError, OSError, EOFError) as error:
        raise SourceError(f"{path.name}: {error}", damaged=True) from error
    found = store.content_hash(arrays)
    if found != spec.info.sha256:
        raise SourceError(f"{path.name}: the SHA-256 of the content is {found}, expected {spec.info.sha256}", damaged=True)
    return arrays


def _fetch(spec: Spec, progress: bool) -> Path:
    """The cache file of a set, made from the first source that gives the right content."""
    path = store.path_of(spec.info)
    try:
        store.read(spec.info)
        return path
    except FileNotFoundError:
        pass
    except DataError as error:
        print(f"{error}. It is set aside as {path.name}.damaged and fetched again.", file=sys.stderr)
    with store.scratch(spec.info.name) as part:
        if path.exists():
            path.replace(path.with_name(path.name + ".damaged"))
        arrays, got, source = _from_sources(spec, part, progress)
        store.write(spec.info, arrays, part)
        _write_siblings(spec, got, source, part)
    path.with_name(path.name + ".damaged").unlink(missing_ok=True)
    return path


def _write_siblings(spec: Spec, path: Path, source: Source, part: Path) -> None:
    """Write what else the book wants of a package that has just been fetched: it need not come twice."""
    for other in SPECS.values():
        if other is not spec and not source.local and source in other.sources and not store.path_of(other.info).exists():
            with contextlib.suppress(SourceError):  # it is told when that set is asked for
                store.write(other.info, _decode(other, path, source), part)


def _from_sources(spec: Spec, part: Path, progress: bool) -> tuple[Arrays, Path, Source]:
    """The content, and the file and the source that gave it."""
    reasons: list[str] = []
    offline = 0
    for path, source in [*_candidates(spec), *((None, source) for source in spec.sources if not source.local)]:
        label = str(source) if path is None else f"on disk, {path.name}"
        for attempt in range(_ATTEMPTS):
            try:
                if path is not None:
                    return _decode(spec, path, source), path, source
                folder = part / f"{len(reasons)}-{attempt}"
                folder.mkdir()
                with _bar(spec.info, source, progress) as tick:
                    got = source.fetch(folder, tick)
                return _decode(spec, got, source), got, source
            except SourceError as error:
                reasons.append(f"{label}: {error}")
                offline += error.network
                if not error.damaged or path is not None or source.local:
                    break
    raise DataError(_despair(spec, reasons, offline=offline > 0))


def _despair(spec: Spec, reasons: list[str], *, offline: bool) -> str:
    name, folder = spec.info.name, store.folder()
    ways = [source.by_hand for source in spec.sources if source.by_hand]
    lines = [
        f"data set {name!r} could not be had{': there seems to be no network' * offline}. Tried:",
        f"  - on disk: no {store.path_of(spec.info).name} in {folder}",
        *(f"  - {reason}" for reason in reasons),
        "By hand: on a machine with a network get one of",
        *(f"  - {way}" for way in ways),
        f"put it into {folder} and run again: python3 make.py data {name}",
    ]
    return "\n".join(lines)


def _silent(count: int) -> None:
    """Tell nobody."""


@contextlib.contextmanager
def _bar(about: Info, source: Source, progress: bool) -> Iterator[Tick]:
    """A bar on a terminal, a line elsewhere, nothing where none is wanted."""
    if not progress or source.local:
        yield _silent
    elif not sys.stderr.isatty():
        print(f"{about.name}: fetching {_megabytes(about.download)} ({source})", file=sys.stderr, flush=True)
        yield _silent
    else:
        from tqdm import tqdm

        with tqdm(total=about.download, desc=f"{about.name} ({source})", unit="B", unit_scale=True, leave=False, mininterval=0) as bar:
            yield lambda count: _advance(bar, count)


def _advance(bar: tqdm[Any], count: int) -> None:
    bar.update(min(count, int(bar.total or count)) - int(bar.n))


def _column(column: Any, rows: slice) -> Any:
    """The rows of a column as :class:`Dataset` holds them."""
    if isinstance(column, tuple) and (not column or isinstance(column[0], str)):
        return column[rows]
    import torch

    if isinstance(column, tuple):
        return tuple(torch.from_numpy(table.copy()) for table in column[rows])
    return torch.from_numpy(column[rows].copy())


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _row(about: Info) -> dict[str, str]:
    splits = ", ".join(f"{name} {size:,}" for name, size in about.splits.items())
    fetched = f"{_megabytes(about.download)} to fetch" if about.download else "installed with the book"
    return {
        "name": about.name,
        "contents": f"{about.title}. {about.what}",
        "items": f"{about.count:,}" + " numbers" * (about.kind == "weights") + f" of {'×'.join(map(str, about.shape))}" * bool(about.shape),
        "splits": f"{splits} ({about.split_rule})" if about.splits else about.split_rule,
        "duplicates": about.duplicates,
        "source": f"{about.source}; {fetched}, {_megabytes(about.bytes)} on the disk",
        "licence and rights": f"{about.licence}; {about.rights}",
        "origin": f"{about.origin}. Cite: {about.citation}",
        "content hash": f"{about.sha256[:16]}…",
    }
