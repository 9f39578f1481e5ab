"""Reads the JSON files of a model's directory."""

import json
from pathlib import Path
from typing import Any

from training.failures import ModelUnknown


def read_object(path: Path) -> dict[str, Any] | None:
    """The object of a JSON file; None if there is no such file. Raises ModelUnknown."""
    content = read_json(path)
    if content is not None and not isinstance(content, dict):
        raise ModelUnknown(f"{path} holds no JSON object")
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if there is no such file. Raises ModelUnknown."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelUnknown(f"{path} is not JSON: {error}") from error
