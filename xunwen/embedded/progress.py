"""Shows the progress of a start."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


class Progressing(Protocol):
    """A receiver of the launcher's progress."""

    def show(self, step: str, done: int, total: int | None, note: str = "") -> None:
        """Shows that `done` of `total` units of a step are done; `note` says what the step waits
        for."""


class ProgressDisplay:
    """A bar per step on a terminal; elsewhere a line for each step that begins and ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._steps: dict[str, tuple[int, int | None]] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def finish(self) -> None:
        """Freezes the bars, so that later output appears below them."""
        self._bars.stop()

    def show(self, step: str, done: int, total: int | None, note: str = "") -> None:
        """Moves the bar of a step to `done` of `total` units, None for a number not known."""
        before = self._steps.get(step)
        self._steps[step] = (done, total)
        if not self._console.is_terminal:
            finished = done == total
            if before != (done, total) and (before is None or finished):
                self._console.print(f"{step}: {done:,}/{total or '?'}")
            return
        tasks = {task.description: task.id for task in self._bars.tasks}
        task_id = tasks[step] if step in tasks else self._bars.add_task(step, total=total, note="")
        self._bars.update(task_id, completed=done, total=total, note=note)
