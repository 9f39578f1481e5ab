"""Notes signals to stop, so that no exception interrupts a step half-way."""

import signal
import time
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Notes SIGINT, SIGTERM and SIGHUP while the block runs; a second signal changes nothing.

    A signal that is ignored stays so: `nohup`, and a script that starts a program in the
    background, ignore those of the terminal for it.
    """

    def __init__(self) -> None:
        self.received = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for name in _SIGNALS:
            if signal.getsignal(name) is not signal.SIG_IGN:
                self._before[name] = signal.signal(name, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)  # type: ignore[arg-type]  # what signal() returned

    def within(self, seconds: float) -> bool:
        """Waits for at most this many seconds; returns whether a stop is asked for."""
        if not self.received:
            time.sleep(seconds)
        return self.received

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True
