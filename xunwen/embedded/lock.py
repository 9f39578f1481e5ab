"""The lock by which one launcher at a time uses a home directory."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.preflight import disk_error
from xunwen.embedded.settings import EmbeddedSettings


class AlreadyRunning(EmbeddedError):
    """Another `xunwen up` holds the home directory."""


@contextmanager
def only_one(settings: EmbeddedSettings) -> Iterator[None]:
    """Holds the lock of a home directory while the block runs. Raises AlreadyRunning, or
    EmbeddedError if there cannot be a lock, as where another user has made it.

    The operating system frees the lock when the process ends, also if it is killed.
    """
    with ExitStack() as held:
        try:
            file = held.enter_context((settings.run_dir / "lock").open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Xunwen is starting or running already in {settings.home};"
                " see `xunwen status`, stop it with `xunwen down`."
            ) from None
        except OSError as error:
            raise disk_error(error, settings) from error
        yield
