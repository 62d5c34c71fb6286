"""The built site on a port of its own, and pages that are watched while they are open."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading

import pytest

OUTSIDE = re.compile(r"^(?!file:|data:|blob:|(http|ws)://127\.0\.0\.1[:/]|(http|ws)://localhost[:/])")
PATIENCE = 180_000  # ms: on a machine whose cores are all taken a chapter loads slowly; nothing is judged by time


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def server(site):
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture(scope="session")
def axe(root):
    """axe-core's script out of the front end's development packages."""
    script = root / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm", path=f"{sys.prefix}/bin") or shutil.which("npm")
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=root / "frontend", check=True, capture_output=True)
    return script.read_text("utf8")


def watch(page):
    """Refuse everything outside this machine; return the list of what the page asked for or complained of in vain."""
    wrong: list[str] = []

    def refuse(route):
        wrong.append(f"asks for {route.request.url}")
        route.abort()

    page.context.route(OUTSIDE, refuse)
    page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
    page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    return wrong


@pytest.fixture(scope="session")
def opened():
    """``with opened(browser, address) as page``: the page with its formulae set; at the end ``page.wrong`` must be empty."""

    @contextlib.contextmanager
    def open_page(browser, address, *, width=1280, quiet=True, **options):
        settings = {"color_scheme": "light", "reduced_motion": "reduce", **options}
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.wrong = wrong = watch(page)
        try:
            answer = page.goto(address, wait_until="load")
            assert answer is None or answer.status < 400, f"{address}: {answer.status}"
            if options.get("java_script_enabled", True):
                page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")
            yield page
            if quiet:
                assert wrong == []
        finally:
            context.close()

    return open_page
