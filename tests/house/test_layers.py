"""The floor plan: which package may import which, and that no two folders import each other."""

import re
import sys

import pytest

from tests.house.imports import ROOT, circles, imports, inside, modules

SERVICES = ("gateway", "recall", "rank", "indexer")
FRAMEWORKS = (
    *("fastapi", "starlette", "uvicorn", "pymilvus", "milvus_lite", "celery", "redis"),
    *("paddle", "onnxruntime", "fsspec", "httpx", "prometheus_client"),
)


def _within(package: str) -> list[str]:
    found = [module for module in modules() if inside(module, package)]
    assert found, package
    return found


def _offenders(package: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{module} imports {name}"
        for module in _within(package)
        for name in imports(module)
        if any(inside(name, one) for one in forbidden)
    ]


def test_common_imports_no_service() -> None:
    assert _offenders("services.common", tuple(f"services.{one}" for one in SERVICES)) == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    others = tuple(f"services.{one}" for one in SERVICES if one != service)
    assert _offenders(f"services.{service}", others) == []


def test_services_import_what_serves_and_nothing_above() -> None:
    above = ("training", "xunwen", "benchmarks", "paddlenlp", "tests")
    assert _offenders("services", above) == []


def test_the_command_line_reaches_training_by_name_only() -> None:
    """`xunwen` installs without the extra `training`; cli/offline.py loads that when called."""
    assert _offenders("xunwen", ("training", "benchmarks", "tests")) == []


def _reached(start: list[str]) -> set[str]:
    """All that the modules import, and what those import, of our own and of others."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += imports(module) if module in modules() else []
    return seen


def test_the_client_needs_httpx_and_pydantic_only() -> None:
    others = {
        name.partition(".")[0]
        for name in _reached(_within("xunwen.client"))
        if name not in modules()
    }
    assert others - sys.stdlib_module_names == {"httpx", "pydantic"}


def _domain_modules() -> list[str]:
    """Modules that the services keep free of frameworks, by their names."""
    nouns = ("domain", "fusion", "features", "blend", "ledger", "planner", "request", "mapping")
    return [
        module
        for module in _within("services")
        if module.rpartition(".")[2] in nouns or inside(module, "services.common.text")
    ]


def test_domain_modules_know_no_framework() -> None:
    chosen = _domain_modules()
    assert len(chosen) > 5
    assert [
        f"{module} imports {name}"
        for module in chosen
        for name in imports(module)
        if any(inside(name, one) for one in FRAMEWORKS)
    ] == []


@pytest.mark.parametrize(
    "package",
    [
        *("services", "services.common", "services.rank", "services.recall"),
        *("services.indexer", "services.indexer.index"),
        *("services.gateway", "services.gateway.search", "training", "xunwen", "xunwen.cli"),
    ],
)
def test_folders_do_not_import_each_other_in_a_circle(package: str) -> None:
    assert circles(package) == []


def test_no_test_module_is_imported() -> None:
    """What several of them need lies in a module beside them, which holds no tests."""
    imported = re.compile(r"^from tests\.(?:\w+\.)*test_\w+ import", re.MULTILINE)
    importing = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if imported.search(path.read_text(encoding="utf-8"))
    ]
    assert importing == []
