"""A command prefix that binds a process to the life of its parent."""

import shutil


def leash() -> list[str]:
    """A command prefix that ends the process when its parent dies, also if the parent is killed;
    empty on systems other than Linux, which have no such program."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
