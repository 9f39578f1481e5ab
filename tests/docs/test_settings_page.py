"""docs/settings.md names every setting, as the code has it."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.common.settings import ServiceSettings
from tests.docs.blocks import manuals
from tests.docs.settings_page import PAGE, SERVICES, page, settings
from xunwen.embedded.settings import EmbeddedSettings

_STATED = re.compile(
    r"`([A-Z]+(?:_[A-Z]+)*)`(?: \(|, | \| | is by default, | is by default \()"
    r"(\d+(?:[.,]\d+)*)(?!\d| [GM]iB)"
)
"""A setting, in full or without its prefix, and the number behind it: `XUNWEN_RECALL_EF` (128)."""


def test_the_page_is_made_from_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it again: python -m tests.docs.settings_page"
    )


def test_every_setting_has_a_meaning() -> None:
    kinds: list[type[BaseSettings]] = [ServiceSettings, *SERVICES.values(), EmbeddedSettings]
    rows = [row for kind in kinds for row in settings(kind)]
    assert [row.name for row in rows if not row.meaning] == []
    assert [row.name for row in rows if not row.meaning.endswith((".", "]"))] == []


def test_every_setting_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in SERVICES.values():
        prefix = kind.model_config["env_prefix"]
        for name in kind.model_fields:
            own = f"`{prefix}{name}`".replace(name, name.upper())
            assert own in text or f"`…_{name.upper()}`" in text, own


@pytest.mark.parametrize("manual", manuals(), ids=lambda manual: manual.stem)
def test_a_number_that_another_page_gives_as_a_default_is_the_default(manual: Path) -> None:
    kinds: tuple[type[BaseSettings], ...] = (*SERVICES.values(), EmbeddedSettings)
    defaults = {row.name: row.default.strip("`") for kind in kinds for row in settings(kind)}
    for name, number in _STATED.findall(manual.read_text(encoding="utf-8")):
        named = {default for full, default in defaults.items() if f"_{full}".endswith(f"_{name}")}
        assert not named or number.replace(",", "") in named, f"`{name}` is {named}, not {number}"
