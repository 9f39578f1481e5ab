"""One launcher at a time per home directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.settings import EmbeddedSettings


class AlreadyRunning(EmbeddedError):
    """Another `up` holds the home directory."""


@contextmanager
def only_one(settings: EmbeddedSettings) -> Iterator[None]:
    """Held by the operating system: it is free again when the process ends, however it ends."""
    with (settings.run_dir / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Xunwen is starting or running already in {settings.home};"
                " see `xunwen status`, stop it with `xunwen down`."
            ) from None
        yield
