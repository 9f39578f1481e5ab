"""`python -m services.common.model_dir.fetch URL DIRECTORY` downloads a model directory.

URL is any address that fsspec reads (s3://bucket/models/encoder, file:///...). A directory that is
complete already is left alone, so the second start of a pod downloads nothing.
"""

import argparse
import sys
from pathlib import Path

import fsspec

from services.common.errors import ModelInvalid
from services.common.model_dir.files import PACKED
from services.common.model_dir.manifest import load_manifest
from services.common.model_dir.packing import unpack
from services.common.objects import FAILURES, ObjectStoreSettings
from services.common.settings import read_settings


def fetch(url: str, directory: Path) -> Path:
    """Downloads and checks a model. Raises ModelInvalid, whose message says what is wrong."""
    try:
        load_manifest(directory)
    except ModelInvalid:
        _download(url, directory)
        if (directory / PACKED).exists():
            unpack(directory)
        load_manifest(directory)
    return directory


def _download(url: str, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    try:
        options = read_settings(ObjectStoreSettings, "models").options(url)
        store, path = fsspec.core.url_to_fs(url, **options)
        store.get(f"{path.rstrip('/')}/", f"{directory}/", recursive=True)
    except (*FAILURES, ValueError, ImportError) as error:
        raise ModelInvalid(f"model {url} cannot be fetched: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "there is nothing at this address"
        case PermissionError():
            return "the store does not let these keys read it"
        case ValueError() | ImportError():
            return "nothing reads such an address; write s3://bucket/folder"
    return (
        "the store does not answer, or asks for keys; look at AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID"
        " and AWS_SECRET_ACCESS_KEY"
    )


def main() -> int:
    """Fetches the model of the command line; returns the exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m services.common.model_dir.fetch")
    parser.add_argument("url")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    try:
        sys.stdout.write(f"{fetch(arguments.url, arguments.directory)}\n")
    except ModelInvalid as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
