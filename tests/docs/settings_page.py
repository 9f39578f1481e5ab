"""Writes docs/settings.md from the settings classes: `python -m tests.docs.settings_page`.

The meaning of a setting is the string below its field; the unit follows from its name.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from services.common.objects import ObjectStoreSettings
from services.common.settings import ServiceSettings
from services.gateway.settings import GatewaySettings
from services.indexer.settings import IndexerSettings
from services.rank.settings import RankSettings
from services.recall.settings import RecallSettings
from xunwen.embedded.settings import EmbeddedSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"

SERVICES: dict[str, type[ServiceSettings]] = {
    "gateway": GatewaySettings,
    "recall": RecallSettings,
    "rank": RankSettings,
    "indexer": IndexerSettings,
}
UNITS = {
    "seconds": "s",
    "ms": "ms",
    "mb": "MiB",
    "bytes": "bytes",
    "days": "days",
    "tokens": "tokens",
    "port": "port",
    "threads": "cores",
    "share": "share",
    "ratio": "share",
    "documents": "documents",
    "jobs": "jobs",
    "requests": "requests",
}

HEAD = """\
# Settings

Every setting of every process, with its default and its meaning.
This page is made from the settings classes by `python -m tests.docs.settings_page`, and a test holds it to them.

A setting is an environment variable.
A process reads its settings once, when it starts; a value that is not valid ends it with one line that names the variable.
Lists are written as JSON, booleans as `true` or `false`; a variable that is set to nothing counts as not set, except a token or key of ours, which is refused.

| process | prefix | who sets it |
|---|---|---|
| a service in a container | `XUNWEN_GATEWAY_`, `XUNWEN_RECALL_`, `XUNWEN_RANK_`, `XUNWEN_INDEXER_` | the Helm chart and the compose file set addresses, ports and models; `services.<name>.env` of the chart sets any other |
| the embedded system | `XUNWEN_` | it sets addresses, ports and models of its services itself, refuses to start where their own variables name others, and passes on all other variables from its own environment |
| the command line and the client | `XUNWEN_` | see [commands](cli.md) |

"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    unit: str
    meaning: str


def settings(kind: type[BaseSettings]) -> list[Setting]:
    """The settings that a class reads, inherited ones included."""
    meanings = _meanings(kind)
    prefix = kind.model_config.get("env_prefix", "")
    return [
        Setting(
            f"{prefix}{name}".upper(), _default(name, field), _unit(name), meanings.get(name, "")
        )
        for name, field in kind.model_fields.items()
    ]


def _meanings(kind: type[BaseSettings]) -> dict[str, str]:
    """The string below each field, of the class itself and of those it inherits from."""
    found: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        if issubclass(cls, BaseSettings) and cls is not BaseSettings:
            tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
            found |= dict(_described(tree.body[0]))
    return found


def _described(tree: ast.stmt) -> Iterator[tuple[str, str]]:
    assert isinstance(tree, ast.ClassDef)
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield name, " ".join(words.split())


def _default(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        made: Any = field.default_factory()  # type: ignore[call-arg]
        if isinstance(made, Path):
            return f"`{made.relative_to(ROOT)}`"
        return "all cores" if name.endswith("threads") else f"`{made}`"
    value = field.default
    if value is PydanticUndefined:
        return "must be set"
    if value is None:
        return "none"
    if isinstance(value, SecretStr):
        return "a secret"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Path) and value.is_absolute():
        value = value.relative_to(ROOT)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _unit(name: str) -> str:
    return UNITS.get(re.split(r"_", name)[-1], "")


def _table(rows: list[Setting]) -> Iterator[str]:
    yield "| variable | default | unit | meaning |"
    yield "|---|---|---|---|"
    for row in rows:
        meaning = row.meaning.replace("|", "\\|")
        yield f"| `{row.name}` | {row.default} | {row.unit} | {meaning} |"
    yield ""


def page() -> str:
    """The whole page as Markdown."""
    shared = [name for name in ServiceSettings.model_fields if name != "port"]
    lines = ["## All services", "", "Each of the four services has these under its own prefix.", ""]
    lines += _table(
        [
            Setting(f"…_{name.upper()}", row.default, row.unit, row.meaning)
            for name, row in zip(
                ServiceSettings.model_fields, settings(ServiceSettings), strict=True
            )
            if name in shared
        ]
    )
    for service, kind in SERVICES.items():
        workers = " and its workers" if service == "indexer" else ""
        lines += [f"## {service.capitalize()}{workers}", ""]
        inherited = {f"{kind.model_config['env_prefix']}{name}".upper() for name in shared}
        lines += _table([row for row in settings(kind) if row.name not in inherited])
    lines += ["## Object stores", "", "Indexer, workers and the fetching of models read these.", ""]
    lines += _table(settings(ObjectStoreSettings))
    lines += ["## Embedded system", "", "`xunwen up` and `make up` read these.", ""]
    lines += _table(settings(EmbeddedSettings))
    return HEAD + "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
