"""Unknown names: say which ones are near."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that look most like ``name``, best first.

    A name counts as near by its letters, or when it contains the other's last part.

    >>> near_names("gumbel-softmax/mnist-gss", ["gumbel-softmax/mnist-gs", "rope"])
    ['gumbel-softmax/mnist-gs']
    """
    pool = sorted(known)
    near = difflib.get_close_matches(name, pool, n=most, cutoff=0.6)
    tail = name.rsplit("/", 1)[-1]
    near += [other for other in pool if tail and tail in other and other not in near]
    return near[:most]


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name, with the near ones or, if none is near, all of them.

    >>> unknown("experiment", "rop", ["rope"])
    "there is no experiment 'rop'; did you mean rope?"
    """
    pool = sorted(known)
    near = near_names(name, pool)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(pool) or 'none'}"
    return f"there is no {kind} {name!r}; {hint}"
