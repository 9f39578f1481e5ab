"""`python engine.py FILE ADDRESS` runs the compiled milvus-lite as a server.

The package `milvus-lite` carries Milvus's own search core as one program, which keeps a database in
one SQLite file and needs nothing of the package's Python. Before the program starts, the tables of
the file get their indexes by id.

This file is run as a script and imports very little, so that a restarted server is back at once.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from services.common.id_indexes import add_id_indexes


def program() -> Path:
    """Path of the server's program. Raises FileNotFoundError if the package is not installed."""
    spec = find_spec("milvus_lite")  # The package is not imported, since that needs pkg_resources.
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "lib" / "milvus" if folders else Path("milvus")
    if not path.is_file():
        raise FileNotFoundError(
            "the package milvus-lite 2.5.1 is not installed; it is made for Linux and macOS"
        )
    return path


def main() -> None:
    """Prepares the database and replaces this process by the server, which keeps the supervised
    process id."""
    database, address = Path(sys.argv[1]), sys.argv[2]
    server = program()
    add_id_indexes(database)
    library = str(server.parent)
    env = {**os.environ, "LD_LIBRARY_PATH": library, "DYLD_LIBRARY_PATH": library}
    os.chdir(database.parent)
    os.execve(server, [str(server), str(database), address, "ERROR"], env)  # noqa: S606


if __name__ == "__main__":
    main()
