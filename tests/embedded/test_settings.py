"""The settings of the last start, which the other commands read."""

import shutil
from pathlib import Path

import pytest

from xunwen.embedded.launcher import remember
from xunwen.embedded.settings import EmbeddedSettings, last_settings


def test_a_copy_of_a_home_is_another_home(settings: EmbeddedSettings, tmp_path: Path) -> None:
    """`xunwen down` in the copy must not end the system of the original."""
    remember(settings)
    copy = tmp_path / "copy"
    shutil.copytree(settings.home, copy)
    last = last_settings(EmbeddedSettings(home=copy))
    assert last.home == copy
    assert last.gateway_port == settings.gateway_port
    assert last_settings(EmbeddedSettings(home=settings.home)) == settings


def test_a_note_that_cannot_be_read_is_none(settings: EmbeddedSettings) -> None:
    for content in ("", "[]", '{"gateway_port": "many"}'):
        (settings.run_dir / "settings.json").write_text(content)
        assert last_settings(settings) == settings


@pytest.mark.parametrize(
    ("host", "required", "asked"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("0.0.0.0", None, True),
        ("0.0.0.0", "false", False),
        ("127.0.0.1", "true", True),
    ],
)
def test_who_is_asked_for_a_key(
    host: str, required: str | None, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if required is not None:
        monkeypatch.setenv("XUNWEN_GATEWAY_REQUIRE_KEYS", required)
    assert EmbeddedSettings(gateway_host=host).asks_for_keys is asked
