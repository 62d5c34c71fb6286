"""The benchmarks of the built site, on small ones."""

from __future__ import annotations

import json

from benchmarks import site


def test_the_run_of_each_page_is_held_against_its_limits(tmp_path):
    times = tmp_path / "times.json"
    ran = {"seconds": 20.0, "processor_seconds": 15.0, "peak_bytes": 500_000_000}
    times.write_text(json.dumps({"steps": {}, "pages": {"chapters/a": ran}}))
    seconds, memory = site.running(times)
    assert (seconds.what, seconds.ratio, memory.ratio) == ("chapters/a", 0.5, 0.25)


def test_a_page_is_weighed_with_its_own_files_and_shared_ones_once(tmp_path):
    (tmp_path / "_static" / "explorer").mkdir(parents=True)
    (tmp_path / "_static" / "explorer" / "explorer.static.js").write_text("x" * 1500)
    (tmp_path / "own.svg").write_text("y" * 100)
    data = f'<script type="application/json">{"z" * 2000}</script>'
    script = '<script src="_static/explorer/explorer.static.js"></script>'
    (tmp_path / "a.html").write_text(f'<img src="own.svg">{script}{data}')
    (tmp_path / "b.html").write_text(script)
    rows = {row.what: row for row in site.weights(tmp_path)}
    assert rows["a.html"].ours == (tmp_path / "a.html").stat().st_size
    assert rows["a.html"].note.endswith("0 kB of its own files")
    assert rows["  data of explorer 1"].ours == 2000
    assert rows["front end of all explorers"].ratio == 0.01
    assert rows["files that pages share, named by them"].ours == 1500
