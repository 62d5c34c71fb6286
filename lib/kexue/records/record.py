"""The record of a training run: everything needed to judge it, and its weights, both checked by hash."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexue.records.files import DamagedFileError, read_checked, sha256, write_atomic
from kexue.records.names import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from kexue.records.table import ProvenanceTable

FORMAT = 1
RECORD_FILE, WEIGHTS_FILE = "record.json", "weights.safetensors"
MAX_WEIGHTS = 8 * 2**20  # bytes
PACKAGE = Path(__file__).resolve().parents[1]


class RecordError(RuntimeError):
    """A record that cannot be used: damaged, incomplete, or of a newer format."""


@dataclass(frozen=True)
class Metric:
    """A final metric over the seeds of a run.

    Attributes:
        seeds: the value for each seed, in the order of the record's ``seeds``.
    """

    seeds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seeds or not all(math.isfinite(v) for v in self.seeds):
            raise ValueError(f"a metric needs finite values for at least one seed, got {self.seeds}")

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.seeds)

    @property
    def std(self) -> float:
        """Standard deviation over the seeds (divided by n − 1); 0 for a single seed."""
        return statistics.stdev(self.seeds) if len(self.seeds) > 1 else 0.0

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.std:.2g}"


@dataclass(frozen=True)
class Curve:
    """Metrics along the training, by seed.

    Attributes:
        steps: steps at which the metrics were taken, the same for all seeds.
        values: for each metric, the values ``[seed][step]``.
    """

    steps: tuple[int, ...] = ()
    values: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)

    def __getitem__(self, metric: str) -> tuple[tuple[float, ...], ...]:
        if metric not in self.values:
            raise KeyError(unknown("metric in the curve", metric, self.values))
        return self.values[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.steps)

    def mean(self, metric: str) -> tuple[float, ...]:
        """Mean over the seeds, for each step."""
        return tuple(statistics.fmean(at_step) for at_step in zip(*self[metric], strict=True))


@dataclass(frozen=True)
class Record:
    """What is known of a training run.

    Attributes:
        name: ``experiment/run``.
        title: one line in words.
        experiment: ``module:class`` of the experiment.
        settings: its settings, as plain values.
        data: the data set: name, version, hash of its content, counts.
        seeds: the seeds trained.
        device: kind, name and number of devices.
        versions: of the language and the libraries.
        steps: optimisation steps of each seed.
        wall_time_s: training time of each seed, in seconds.
        throughput: examples per second in training, over all seeds.
        metrics: the final metrics over the seeds.
        curve: metrics along the training.
        weights_seed: the seed whose weights are shipped.
        weights_sha256: SHA-256 of the weights' file.
        weights_bytes: its size.
        metrics_of_weights: the metrics evaluated from the shipped weights, rounding of the weights included.
        tolerance: how far a fresh evaluation may be from ``metrics_of_weights``, by metric.
        made: the day, as ISO 8601.
        waiting_for_gpu: whether the run was made with smaller settings than intended, for want of a GPU.
        note: what a reader must know.
        format: version of this format.
        folder: where the record was read from; not written.
    """

    name: str
    title: str
    experiment: str
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    seeds: tuple[int, ...]
    device: Mapping[str, Any]
    versions: Mapping[str, str]
    steps: int
    wall_time_s: tuple[float, ...]
    throughput: float
    metrics: Mapping[str, Metric]
    curve: Curve
    weights_seed: int
    weights_sha256: str
    weights_bytes: int
    metrics_of_weights: Mapping[str, float]
    tolerance: Mapping[str, float]
    made: str
    waiting_for_gpu: bool = False
    note: str = ""
    format: int = FORMAT
    folder: Path | None = field(default=None, compare=False)

    def weights(self) -> dict[str, Tensor]:
        """Read the weights, as they are stored (often in half precision), by parameter name.

        Raises:
            RecordError: if the file is missing or its hash is not the record's.
        """
        from safetensors.torch import load as load_tensors

        if self.folder is None:
            raise RecordError(f"the record {self.name!r} was not read from a folder and has no weights file")
        return load_tensors(self._weights_file(self.folder))

    def _weights_file(self, folder: Path) -> bytes:
        remedy = f"Restore the file, or train again: kexue train {self.name}"
        try:
            return read_checked(folder / WEIGHTS_FILE, self.weights_sha256, remedy)
        except FileNotFoundError as error:
            raise RecordError(f"{folder / WEIGHTS_FILE} is missing. {remedy}") from error
        except DamagedFileError as error:
            raise RecordError(str(error)) from error

    def table(self, *, metrics: bool = True) -> ProvenanceTable:
        """The provenance of the run, for a page: what was trained, on what, how long, with what result (unless it is shown elsewhere)."""
        from kexue.records.table import ProvenanceTable

        return ProvenanceTable(self, metrics=metrics)

    def to_json(self) -> str:
        """The record as JSON with a hash of itself, which :func:`read_record` checks."""
        body = asdict(self)
        body.pop("folder")
        body["metrics"] = {k: {"mean": m.mean, "std": m.std, "seeds": list(m.seeds)} for k, m in self.metrics.items()}
        text = _canonical(body)
        body["record_sha256"] = sha256(text.encode())
        return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _canonical(body: Mapping[str, Any]) -> str:
    """One text for one content, whatever the layout: what the record's own hash is taken of."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def save(record: Record, weights: bytes, folder: Path) -> Record:
    """Write weights and record into a folder; the record last, so that a record never lacks its weights.

    Args:
        record: its ``weights_sha256`` and ``weights_bytes`` are set here.
        weights: content of a safetensors file.
        folder: made if it is missing.

    Returns:
        The record as written.

    Raises:
        ValueError: if the weights are larger than 8 MB.
        OSError: if the folder cannot be written; no half file is left.
    """
    if len(weights) > MAX_WEIGHTS:
        raise ValueError(f"weights of {record.name!r} have {len(weights) / 2**20:.1f} MB, at most {MAX_WEIGHTS / 2**20:.0f} MB are shipped")
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    values |= {"weights_sha256": sha256(weights), "weights_bytes": len(weights), "folder": folder}
    final = Record(**values)
    write_atomic(folder / WEIGHTS_FILE, weights)
    write_atomic(folder / RECORD_FILE, final.to_json().encode())
    return final


def read_record(folder: Path) -> Record:
    """Read the record of a folder.

    Args:
        folder: holds ``record.json`` and ``weights.safetensors``.

    Returns:
        The record. Its weights are read, and checked, by :meth:`Record.weights`.

    Raises:
        RecordError: if the file is missing, damaged, or of a newer format.
    """
    path = folder / RECORD_FILE
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RecordError(f"there is no {RECORD_FILE} in {folder}") from error
    except ValueError as error:
        raise RecordError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(body, dict) or not isinstance(body.get("format"), int):
        raise RecordError(f"{path} is not a record: it has no format version")
    if body["format"] > FORMAT:
        raise RecordError(f"{path} has format {body['format']}, this library reads up to {FORMAT}: update the library")
    expected = body.pop("record_sha256", None)
    found = sha256(_canonical(body).encode())
    if found != expected:
        raise RecordError(f"{path} is damaged or was edited: the SHA-256 of its content is {found}, it says {expected}")
    return _from_json(body, folder)


def _from_json(body: dict[str, Any], folder: Path) -> Record:
    body["metrics"] = {k: Metric(tuple(m["seeds"])) for k, m in body["metrics"].items()}
    curve = body["curve"]
    body["curve"] = Curve(tuple(curve["steps"]), {k: tuple(map(tuple, v)) for k, v in curve["values"].items()})
    for key in ("seeds", "wall_time_s"):
        body[key] = tuple(body[key])
    return Record(**body, folder=folder)


def shipped(root: Path = PACKAGE) -> dict[str, Path]:
    """The folders of all runs that the library ships, by name, in order of the names.

    A run lies in ``PART/runs/EXPERIMENT/RUN/`` and is called ``EXPERIMENT/RUN``.
    """
    found = {}
    for path in root.glob(f"*/runs/**/{RECORD_FILE}"):
        inside = path.parent.relative_to(root).parts[2:]
        found["/".join(inside)] = path.parent
    return dict(sorted(found.items()))


def load(name: str, *, root: Path = PACKAGE) -> Record:
    """Read the record of a shipped run by its name.

    Args:
        name: such as ``"gumbel-softmax/mnist-st"``.
        root: the package folder that holds the runs.

    Returns:
        The record.

    Raises:
        KeyError: if there is no such run; near names are suggested.
        RecordError: if the record is damaged or of a newer format.
    """
    folders = shipped(root)
    if name not in folders:
        raise KeyError(unknown("shipped run", name, folders))
    return read_record(folders[name])
