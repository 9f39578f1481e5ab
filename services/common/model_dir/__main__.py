"""`python -m services.common.model_dir {pack,unpack,verify} DIRECTORY...` works on model
directories."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from services.common.errors import ModelInvalid
from services.common.model_dir import load_manifest, pack, unpack


def _verify(directory: Path) -> Path:
    load_manifest(directory)
    return directory


_ACTIONS: dict[str, Callable[[Path], Path]] = {"pack": pack, "unpack": unpack, "verify": _verify}


def main() -> int:
    """Packs, unpacks or verifies the directories of the command line; returns the exit code of
    the process."""
    parser = argparse.ArgumentParser(prog="python -m services.common.model_dir")
    parser.add_argument("action", choices=_ACTIONS)
    parser.add_argument("directories", nargs="+", type=Path)
    arguments = parser.parse_args()
    failed = 0
    for directory in arguments.directories:
        try:
            sys.stdout.write(f"{_ACTIONS[arguments.action](directory)}\n")
        except ModelInvalid as error:
            sys.stderr.write(f"{error.detail}\n")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
