"""The provenance of a run as a table that displays itself."""

from __future__ import annotations

import html
from typing import Any

from kexue.records.numbers import format_number
from kexue.records.record import Record


def _duration(seconds: float) -> str:
    """Write a duration for people.

    >>> _duration(7.4), _duration(372), _duration(8000)
    ('7 s', '6 min 12 s', '2 h 13 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {', '.join(map(str, v)) if isinstance(v, (list, tuple)) else v}" for key, v in values.items())


class ProvenanceTable:
    """Rows of *what* and *value* about a run; shows itself as HTML and as text."""

    def __init__(self, record: Record, *, metrics: bool = True) -> None:
        self.record = record
        self.metrics = metrics

    def rows(self) -> list[tuple[str, str]]:
        """The rows, as pairs of text."""
        r = self.record
        data = f"{r.data.get('title', r.data['name'])}, {r.data.get('used', '')}".rstrip(", ")
        rows = [
            ("run", f"{r.name}: {r.title}"),
            ("data", f"{data} (SHA-256 {str(r.data['sha256'])[:12]}…)"),
            ("device", f"{r.device['name']} × {r.device.get('count', 1)}" if r.device.get("count", 1) > 1 else str(r.device["name"])),
            ("made", f"{r.made}, {_pairs(dict(r.versions))}"),
            ("settings", _pairs(dict(r.settings))),
            ("seeds", ", ".join(map(str, r.seeds))),
            ("training", f"{r.steps} steps a seed, {_duration(sum(r.wall_time_s))} in all, {format_number(r.throughput)} examples/s"),
            ("weights", f"seed {r.weights_seed}, {r.weights_bytes / 1e6:.2f} MB, SHA-256 {r.weights_sha256[:12]}…"),
        ]
        rows += [(name, self._metric(name)) for name in r.metrics if self.metrics]
        if r.waiting_for_gpu:
            rows.append(("waiting", "made with the small settings on a CPU; the full settings wait for a GPU"))
        return rows + ([("note", r.note)] if r.note else [])

    def _metric(self, name: str) -> str:
        metric = self.record.metrics[name]
        if len(metric.seeds) == 1:
            return format_number(metric.mean, 4)
        return f"{format_number(metric.mean, 4)} ± {format_number(metric.std, 2)} (standard deviation of {len(metric.seeds)} seeds)"

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(what) for what, _ in rows)
        return "\n".join(f"{what:<{width}}  {value}" for what, value in rows)

    def _repr_html_(self) -> str:
        body = "".join(f'<tr><th scope="row">{html.escape(a)}</th><td>{html.escape(b)}</td></tr>' for a, b in self.rows())
        caption = f"Provenance of the run {html.escape(self.record.name)}"
        return f'<table class="kx-provenance"><caption>{caption}</caption><tbody>{body}</tbody></table>'
