"""How much of the public surface says what it does.

Public are modules, and classes and functions without an underscore that stand in a module or in a
public class. Dunder methods, overloads and functions inside functions are not counted.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.house.imports import inside, modules

AT_LEAST = {"services": 0.95, "xunwen.client": 0.95}
"""Share of documented definitions, by package."""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: ast.Module | ast.ClassDef, where: str) -> Iterator[tuple[str, Definition]]:
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            if any("overload" in ast.unparse(mark) for mark in child.decorator_list):
                continue
            name = f"{where}.{child.name}"
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from public(child, name)


def definitions(package: str) -> Iterator[tuple[str, Definition]]:
    for module, path in modules().items():
        if inside(module, package):
            yield from public(ast.parse(path.read_text(encoding="utf-8")), module)


@pytest.mark.parametrize("package", AT_LEAST)
def test_the_public_surface_is_documented(package: str) -> None:
    silent = [name for name, node in definitions(package) if not ast.get_docstring(node)]
    total = sum(1 for _ in definitions(package))
    share = 1 - len(silent) / total
    print(f"{package}: {share:.1%} of {total} public definitions have a docstring")
    assert share >= AT_LEAST[package], f"{share:.1%}; without a docstring: {', '.join(silent)}"


def test_every_module_says_what_it_is_for() -> None:
    assert [
        name
        for name, path in modules().items()
        if not ast.get_docstring(ast.parse(text := path.read_text(encoding="utf-8"))) and text
    ] == []
