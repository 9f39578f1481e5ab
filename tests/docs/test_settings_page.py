"""docs/settings.md names every setting, as the code has it."""

from pydantic_settings import BaseSettings

from services.common.settings import ServiceSettings
from tests.docs.settings_page import PAGE, SERVICES, page, settings
from xunwen.embedded.settings import EmbeddedSettings


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
