"""The front end: what is committed is what the sources give, it is small, and it computes what Python computes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kexue.explorer import expressions
from kexue.explorer.explorer import STATIC
from kexue.explorer.quantise import quantise
from kexue.explorer.template import number

FRONTEND = Path(__file__).parents[2] / "frontend"
BUNDLES = ("explorer.js", "explorer.static.js", "explorer.css")


def tool(name):
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}")
    return found


def node(*arguments, **more):
    return subprocess.run([tool("node"), *arguments], cwd=FRONTEND, capture_output=True, text=True, check=False, timeout=120, **more)


@pytest.fixture(scope="module")
def packages():
    """The front end's own packages, installed by the lock where they are not there."""
    if not (FRONTEND / "node_modules/esbuild").is_dir():
        done = subprocess.run(
            [tool("npm"), "ci", "--ignore-scripts"], cwd=FRONTEND, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            pytest.skip(f"npm cannot install the front end's packages: {done.stderr.strip().splitlines()[-1:]}")
    return FRONTEND / "node_modules"


def test_all_of_it_is_at_most_150_kilobytes():
    assert sum((STATIC / f).stat().st_size for f in BUNDLES) <= 150 * 1024


def test_nothing_is_fetched_from_elsewhere():
    text = "".join((STATIC / f).read_text("utf8") for f in BUNDLES)
    assert set(re.findall(r"https?://[^\"'`\s)]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_lock_names_no_host():
    assert not re.search(r"https?://(?!(opencollective|github|www\.patreon|tidelift))", (FRONTEND / "package-lock.json").read_text("utf8"))


def test_inputs_keep_their_arrow_keys_in_jupyterlab():
    assert "data-lm-suppress-shortcuts" in (STATIC / "explorer.static.js").read_text("utf8")


@pytest.mark.slow
def test_the_committed_bundles_are_what_the_sources_give(tmp_path, packages):
    done = node("build.mjs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name in BUNDLES:
        assert (tmp_path / name).read_bytes() == (STATIC / name).read_bytes(), f"{name}: run `npm run build` in frontend/"


@pytest.mark.slow
def test_the_types_are_sound(packages):
    done = node(str(packages / "typescript/bin/tsc"), "--noEmit")
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_unit_tests_of_the_front_end_pass():
    done = node("--test", "test/*.test.ts")
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"pass (\d+)", done.stdout).group(1)) >= 20


SOURCES = (
    "softmax((a + n) / s)", "sum(onehot(n) * n)", "where(n > 0, exp(n), -n)", "column(mean(n)) + a", "cumsum(n) - maximum(n, a)",
    "log(abs(n)) * sqrt(s) + tanh(n)", "take(n, 2) ** 2 / s", "sigmoid(flat(n)) + floor(s)", "argmax(n) + max(n) - min(n) + minimum(s, 1)",
    "argsort(n)", "gather(n, argsort(a) * 0.7)", "relabelled(column(a) * a, column(a) - 2 * a, argsort(n))",
    "sin(n) + cos(n) * tan(s)", "transpose(n)", "(n <= a) + (n >= a) + (n < a) + (n == a) + (n != a)",
)  # fmt: skip
SPECS = (".2f", ".3g", ".0%", "+.1f", "d", ",d", ".2e", "", ".6g")
SCRIPT = """
import { evaluate } from "./src/expr.ts";
import { formatNumber } from "./src/format.ts";
import { numbers } from "./src/decode.ts";
const { trees, values, specs, xs, table } = JSON.parse(process.argv[2]);
const get = (n) => ({ shape: values[n].shape, data: Float64Array.from(values[n].data) });
console.log(JSON.stringify({
  trees: trees.map((t) => Array.from(evaluate(t, get).data)),
  texts: specs.map((s) => xs.map((x) => formatNumber(x, s))),
  table: Array.from(numbers(table)).map((v) => (Number.isNaN(v) ? null : v)),
}));
"""


@pytest.mark.slow
def test_the_page_computes_writes_and_decodes_as_python_does(tmp_path):
    import base64

    rng = np.random.default_rng(0)
    values = {"a": rng.normal(size=3), "n": rng.normal(size=(4, 3)), "s": np.array(1.7)}
    trees = [expressions.parse(s) for s in SOURCES]
    xs = [*rng.normal(size=40), *(10.0 ** rng.integers(-9, 9, 20) * rng.normal(size=20)), 0.0, 1.0, -1.0, 100.0, 1e5, 1e6]
    table = np.append(rng.normal(size=50), np.nan)
    codes, low, high = quantise(table, "u2")
    given = {
        "trees": trees,
        "values": {k: {"shape": v.shape, "data": v.ravel().tolist()} for k, v in values.items()},
        "specs": SPECS,
        "xs": xs,
        "table": {"deps": [], "shape": [51], "enc": "u2", "range": [low, high], "data": base64.b64encode(codes.tobytes()).decode()},
    }
    script = FRONTEND / "test" / f"cross-{tmp_path.name}.mjs"
    script.write_text(SCRIPT.replace("./src/", "../src/"), "utf8")
    try:
        done = node(str(script), json.dumps(given))
    finally:
        script.unlink()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    for source, tree, got in zip(SOURCES, trees, answer["trees"], strict=True):
        np.testing.assert_allclose(got, expressions.evaluate(tree, values).ravel(), rtol=1e-12, atol=1e-14, err_msg=source)
    for spec, texts in zip(SPECS, answer["texts"], strict=True):
        assert texts == [number(x, spec) for x in xs], spec
    np.testing.assert_allclose(
        [np.nan if v is None else v for v in answer["table"]], table, atol=(high - low) / 131068 * (1 + 1e-9), equal_nan=True
    )
