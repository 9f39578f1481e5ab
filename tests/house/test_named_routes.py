"""Messages and descriptions name routes that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE) (/v1/[\w/{}:*-]*[\w}*])")


def texts(tree: ast.AST) -> Iterator[str]:
    """All texts of a program, with `{}` for each value in one."""
    if isinstance(tree, ast.JoinedStr):
        pieces = (piece.value if isinstance(piece, ast.Constant) else "{}" for piece in tree.values)
        yield "".join(map(str, pieces))
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.value
    else:
        for node in ast.iter_child_nodes(tree):
            yield from texts(node)


def test_every_route_that_a_text_names_exists() -> None:
    paths = create_app(GatewaySettings()).openapi()["paths"]
    routes = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in paths.items()
        for method in methods
    }
    named = {
        (method, re.sub(r"\{\w*\}", "{}", path))
        for folder in ("services", "xunwen")
        for file in (ROOT / folder).rglob("*.py")
        for text in texts(ast.parse(file.read_text(encoding="utf-8")))
        for method, path in NAMED.findall(text)
    }
    assert len(named) > 3
    assert named <= routes
