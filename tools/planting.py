"""Mutants: single changes in a file of the library, made by cosmic-ray, and a sample of those that are other programs."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import random
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One change: an operator of the planting tool at its n-th place in a file.

    Attributes:
        root: the folder of the project, or of the copy of it.
        file: the changed file, beneath it.
    """

    root: Path
    file: Path
    operator: str
    arguments: tuple[tuple[str, Any], ...]
    occurrence: int

    @property
    def key(self) -> str:
        """The same for the same change of the same text."""
        text = json.dumps([self.file.as_posix(), self.operator, self.arguments, self.occurrence])
        return hashlib.sha256(text.encode() + self.before.encode()).hexdigest()[:24]

    @property
    def before(self) -> str:
        """The text of the file without the change."""
        return (self.root / self.file).read_text("utf8")

    def planted(self) -> str | None:
        """The text of the file with this change."""
        from cosmic_ray import mutating, plugins

        operator = plugins.get_operator(self.operator)(**dict(self.arguments))
        text: str | None = mutating.mutate_code(self.before, operator, self.occurrence)
        return text


def mutants(root: Path, files: Iterable[Path]) -> list[Mutant]:
    """All mutants of some files, in the planting tool's order."""
    from cosmic_ray import work_db
    from cosmic_ray.commands import init

    with work_db.use_db(":memory:", work_db.WorkDB.Mode.create) as database:
        init([root / f for f in files], database, {})
        specs = [m for item in database.work_items for m in item.mutations]
    made = [
        Mutant(root, Path(s.module_path).relative_to(root), s.operator_name, tuple(sorted((s.operator_args or {}).items())), s.occurrence)
        for s in specs
    ]
    return sorted(made, key=lambda m: (str(m.file), m.operator, m.occurrence))


class _Bare(ast.NodeTransformer):
    """Takes away what a function's annotations say; those of classes stay, since dataclasses read them."""

    def __init__(self) -> None:
        self.depth = 0

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]:
            if a is not None:
                a.annotation = None
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        depth, self.depth = self.depth, 0
        self.generic_visit(node)
        self.depth = depth
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self.depth:
            node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def program(text: str) -> str | None:
    """What a module does, whatever its layout; annotations of functions count only where they are evaluated. None: no program."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mutant may compare with "is", of which Python warns
            tree = ast.parse(text)
            compile(tree, "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    postponed = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
    return ast.dump(_Bare().visit(tree) if postponed else tree)


def drawn(listed: list[Mutant], size: int | None, seed: str) -> Iterator[tuple[Mutant, str]]:
    """A sample of some mutants with their texts: the first of the shuffled list that are programs, and other ones; all without a size."""
    listed = sorted(listed, key=lambda m: (str(m.file), m.operator, m.occurrence))
    random.Random(seed).shuffle(listed)
    count = 0
    for mutant in listed:
        text = mutant.planted()
        made = None if text is None else program(text)
        if text is not None and made is not None and made != program(mutant.before):
            yield mutant, text
            count += 1
            if count == size:
                return


def change(before: str, after: str) -> tuple[int, str, str]:
    """Where two texts differ first: the line's number, its words before and after."""
    old, new = before.splitlines(), after.splitlines()
    for tag, i, k, j, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            return i + 1, " ⏎ ".join(s.strip() for s in old[i:k]), " ⏎ ".join(s.strip() for s in new[j:m])
    return 0, "", ""
