"""The state of a training: everything the next step depends on, in one file that is whole or not there.

A state is a tree of dictionaries and lists whose leaves are tensors and plain values. The tensors are stored as
safetensors, the rest as JSON in the same file, and the first line holds a hash of all that follows. Nothing is pickled:
a state file from elsewhere cannot run code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from kexue.records.files import sha256, write_atomic

FORMAT = 2
MAGIC = b"kexue-state "
_HEAD = re.compile(re.escape(MAGIC) + rb"([0-9]+) ([0-9a-f]{64})")
_TENSOR, _TUPLE, _INT_KEYS = "__tensor__", "__tuple__", "__int_keys__"


class StateError(RuntimeError):
    """A state file that cannot be used."""


def flatten(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Replace the tensors of a tree by their keys in ``tensors``, and mark what JSON would change (tuples, whole-number keys)."""
    if isinstance(tree, Tensor):
        key = f"t{len(tensors)}"
        tensors[key] = tree.detach().cpu().contiguous().clone()
        return {_TENSOR: key}
    if isinstance(tree, dict):
        if any(isinstance(k, int) for k in tree):
            return {_INT_KEYS: [[k, flatten(v, tensors)] for k, v in tree.items()]}
        return {k: flatten(v, tensors) for k, v in tree.items()}
    if isinstance(tree, tuple):
        return {_TUPLE: [flatten(v, tensors) for v in tree]}
    if isinstance(tree, list):
        return [flatten(v, tensors) for v in tree]
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    raise TypeError(f"a state holds tensors, numbers, strings, lists and dictionaries, not {type(tree).__name__}")


def unflatten(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of :func:`flatten`."""
    if isinstance(tree, list):
        return [unflatten(v, tensors) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if _TENSOR in tree:
        return tensors[tree[_TENSOR]]
    if _TUPLE in tree:
        return tuple(unflatten(v, tensors) for v in tree[_TUPLE])
    if _INT_KEYS in tree:
        return {k: unflatten(v, tensors) for k, v in tree[_INT_KEYS]}
    return {k: unflatten(v, tensors) for k, v in tree.items()}


def to_bytes(state: Any) -> bytes:
    """The content of a state file.

    >>> from_bytes(to_bytes({"step": 3, "w": torch.tensor([1.0])}))
    {'step': 3, 'w': tensor([1.])}
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(flatten(state, tensors))
    body: bytes = save_tensors(tensors or {"empty": torch.zeros(0)}, metadata={"tree": skeleton})
    return MAGIC + f"{FORMAT} {sha256(body)}\n".encode() + body


def from_bytes(data: bytes) -> Any:
    """The state in the content of a state file.

    Raises:
        StateError: if the content is damaged, or no state, or one of another format.
    """
    head, _, body = data.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if not match:
        raise StateError("is damaged: it does not begin like a state file")
    if (version := int(match[1])) != FORMAT:
        age = "newer" if version > FORMAT else "older"
        raise StateError(f"has format {version}, this library reads {FORMAT}: it was made by a{'n' * (age == 'older')} {age} library")
    expected, found = match[2].decode(), sha256(body)
    if found != expected:
        raise StateError(f"is damaged: its SHA-256 is {found}, it says {expected}")
    length = int.from_bytes(body[:8], "little")
    skeleton = json.loads(json.loads(body[8 : 8 + length])["__metadata__"]["tree"])
    return unflatten(skeleton, load_tensors(body))


def write_state(path: Path, state: Any) -> None:
    """Write a state file; a crash at any moment leaves the file before it or the new one.

    Raises:
        OSError: if it cannot be written; the file before it stays.
    """
    write_atomic(path, to_bytes(state))


def read_state(path: Path) -> Any | None:
    """Read a state file, or return nothing if there is none.

    Raises:
        StateError: if the file is damaged, or of another format; it names the file, and the hashes or the formats.
    """
    try:
        return from_bytes(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except StateError as error:
        raise StateError(f"{path} {error}. Delete it to train from the beginning.") from error
