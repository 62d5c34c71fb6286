"""The HTML of an explorer in the static page: its data, and pictures for print and for readers without JavaScript."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

# The class is set while the page is parsed, so that the pictures never flash up before the script has drawn.
_MARK = '<script>document.currentScript.parentNode.classList.add("kxe-js")</script>'


def data(payload: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element: ``</`` and ``<!`` are broken up."""
    text = json.dumps(_shorter(payload), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("</", "<\\/").replace("<!", "\\u003c!")


def _shorter(x: Any) -> Any:
    """Whole floats as integers, the others to 12 digits: nobody sees the difference, and the page is lighter."""
    if isinstance(x, float):
        return int(x) if x.is_integer() and abs(x) < 1e15 else float(f"{x:.12g}")
    if isinstance(x, Mapping):
        return {k: _shorter(v) for k, v in x.items()}
    return [_shorter(v) for v in x] if isinstance(x, (list, tuple)) else x


def heights(panels: Sequence[Mapping[str, Any]], controls: Sequence[Mapping[str, Any]], presets: int) -> tuple[int, int]:
    """About the height of the figure where panels stand side by side, and where they are stacked: reserved before it is drawn."""
    share = 1 / min(len(panels), 2)
    rows: list[int] = []
    left = 0.0
    for p in panels:
        width, height = p["width"] or share, p["height"] + (26 if p["title"] else 0)
        if rows and width <= left + 1e-6:
            rows[-1] = max(rows[-1], height)
            left -= width
        else:
            rows.append(height)
            left = 1 - width
    sliding = [c["kind"] in ("range", "slider") for c in controls]
    playing = sum("play" in c for c in controls)
    around = 29 + 33 + 66 + 10 + 40 + 40 * playing  # padding, title, sentence, rules, buttons
    below = sum(63 if s else 42 for s in sliding) + 36 * (presets > 5)
    narrow = sum(88 if s else 62 for s in sliding) + 36 * -(-presets // 2)
    stacked = sum(p["height"] + (26 if p["title"] else 0) + 14 for p in panels)
    return sum(rows) + 14 * (len(rows) - 1) + around + below, stacked + around + narrow


def element(name: str, title: str, payload: str, pictures: Sequence[tuple[str, str]], size: tuple[int, int], alt: str) -> str:
    """The element that the front end brings to life."""
    shown = "".join(
        f'<figure><img src="{uri}" alt="{html.escape(f"{alt} {say}".strip(), quote=True)}">'
        f"<figcaption>{html.escape(say)}</figcaption></figure>"
        for uri, say in pictures
    )
    style = f"--kxe-height:{size[0]}px;--kxe-height-narrow:{size[1]}px"
    return (
        f'<div class="kexue-explorer" id="explorer-{name}" data-name="{name}" style="{style}">{_MARK}'
        f'<script type="application/json">{payload}</script>'
        f'<div class="kxe-fallback"><p class="kxe-title">{html.escape(title)}</p><div class="kxe-states">{shown}</div></div>'
        "<noscript><p>With JavaScript this figure has controls; shown are its first, its middle and its last state.</p></noscript></div>"
    )
