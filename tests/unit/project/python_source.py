"""Facts about a Python file for the project's tests. Each file is parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A parsed file.

    Attributes:
        is_documented: Whether it has a docstring, or nothing at all.
        functions: The number of lines of each function, by its line and name.
        imports: Every imported name, with its module: `os`, `unittest.mock`, `os.environ`.
        attributes: The last part of every attribute: `environ` in `os.environ`.
        names: Every dotted name of two parts, such as `os.environ`, and every import.
        called_at_import: What runs when it is imported. `boto3.client(…)` calls `client`.
        empty_handlers: The lines of `except` clauses that do nothing.
    """

    lines: int
    is_documented: bool
    functions: dict[str, int]
    imports: frozenset[str]
    attributes: frozenset[str]
    names: frozenset[str]
    called_at_import: frozenset[str]
    empty_handlers: tuple[int, ...]


@cache
def source(path: Path) -> Source:
    """Read and parse a file."""
    return examine(path.read_text(encoding="utf-8"))


def examine(text: str) -> Source:
    """Parse the text of a file."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    imports = {name for node in nodes for name in _imported(node)}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    dotted = {f"{n.value.id}.{n.attr}" for n in attributes if isinstance(n.value, ast.Name)}
    return Source(
        lines=len(text.splitlines()),
        is_documented=not tree.body or ast.get_docstring(tree) is not None,
        functions={
            f"{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
            for node in nodes
            if isinstance(node, Function)
        },
        imports=frozenset(imports),
        attributes=frozenset(node.attr for node in attributes),
        names=frozenset(dotted | imports),
        called_at_import=frozenset(_called(node) for node in _outside_functions(tree)),
        empty_handlers=tuple(
            node.lineno
            for node in nodes
            if isinstance(node, ast.ExceptHandler)
            and all(isinstance(one, ast.Pass) for one in node.body)
        ),
    )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{one.name}" for one in node.names]
    return [one.name for one in node.names] if isinstance(node, ast.Import) else []


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        guarded = isinstance(child, ast.If) and "__name__" in ast.unparse(child.test)
        if not guarded and not isinstance(child, Function | ast.Lambda):
            yield child
            yield from _outside_functions(child)
