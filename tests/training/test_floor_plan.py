"""The folders of training build on each other in one direction."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

_TRAINING = Path(__file__).parents[2] / "training"


def _imports(file: Path) -> set[str]:
    """Names of the folders of `training` that a module imports, inside functions too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("training.")}


def test_no_folder_imports_one_that_imports_it() -> None:
    folders = {path.name for path in _TRAINING.iterdir() if (path / "__init__.py").is_file()}
    graph: dict[str, set[str]] = {name: set() for name in folders}
    for name in folders:
        for file in (_TRAINING / name).rglob("*.py"):
            graph[name] |= _imports(file) & (folders - {name})
    order = [*TopologicalSorter(graph).static_order()]  # raises CycleError
    assert order[-1] == "cli", "commands are imported by nothing"
    assert {"cli", "networks", "data", "objectives", "run", "export", "evaluation"} <= folders
