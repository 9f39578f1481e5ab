"""An embedded system's settings in a directory of its own, on free ports."""

from pathlib import Path
from typing import Any

import pytest

from xunwen.embedded.preflight import prepare_home
from xunwen.embedded.settings import PORTS, EmbeddedSettings


@pytest.fixture
def settings(tmp_path: Path) -> EmbeddedSettings:
    ports: dict[str, Any] = dict.fromkeys(PORTS, 0)
    made = EmbeddedSettings(home=tmp_path / "home", min_free_mb=1, **ports).resolved()
    prepare_home(made)
    return made
