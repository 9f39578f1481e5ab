"""Waits for what other processes and threads do."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(
    condition: Callable[[], Value | None],
    seconds: float = 60.0,
    seen: Callable[[], object] = lambda: "",
) -> Value:
    """The first value of `condition` that counts as true; it is called until then.

    Raises TimeoutError, which shows what was `seen` at the end.
    """
    give_up = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {seconds:g} s in vain; {seen()}")
        time.sleep(0.05)
