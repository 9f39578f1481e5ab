"""Writes `metrics.csv` and `loss.png` of a run."""

import csv
import io
from pathlib import Path

import matplotlib as mpl

from training import durable

COLUMNS = ("step", "loss", "validation_loss", "learning_rate", "tokens_per_second")


class MetricsLog:
    """Appends rows; rows past `step`, and a damaged end, are removed when a run resumes there."""

    def __init__(self, directory: Path, step: int) -> None:
        self._csv, self._png = directory / "metrics.csv", directory / "loss.png"
        kept = io.StringIO(newline="")
        writer = csv.DictWriter(kept, COLUMNS)
        writer.writeheader()
        writer.writerows(row for row in self._rows() if int(row["step"]) <= step)
        durable.write(self._csv, kept.getvalue())

    def add(
        self,
        step: int,
        *,
        loss: float | None = None,
        validation_loss: float | None = None,
        learning_rate: float | None = None,
        tokens_per_second: float | None = None,
    ) -> None:
        values = (loss, validation_loss, learning_rate, tokens_per_second)
        with self._csv.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(
                [step, *("" if value is None else f"{value:.6g}" for value in values)]
            )

    def draw(self) -> None:
        """Draws the training loss, smoothed by its mean over 1/50 of the run, and the validation
        loss."""
        mpl.use("Agg")
        from matplotlib import pyplot  # pyplot is imported after the backend is chosen.

        figure, axes = pyplot.subplots(figsize=(7, 4))
        for name in ("loss", "validation_loss"):
            points = [(int(row["step"]), float(row[name])) for row in self._rows() if row[name]]
            if points:
                width = max(1, len(points) // 50) if name == "loss" else 1
                steps = [step for step, _ in points][width - 1 :]
                values = [
                    sum(value for _, value in points[end - width : end]) / width
                    for end in range(width, len(points) + 1)
                ]
                axes.plot(steps, values, label=name.replace("_", " "))
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.3)
        if axes.lines:  # A short run may have a checkpoint before its first line of the log.
            axes.legend()
        figure.savefig(self._png, dpi=120, bbox_inches="tight")
        pyplot.close(figure)

    def _rows(self) -> list[dict[str, str]]:
        if not self._csv.is_file():
            return []
        with self._csv.open(newline="", encoding="utf-8", errors="replace") as stream:
            return [row for row in csv.DictReader(stream) if _holds_figures(row)]


def _holds_figures(row: dict[str, str]) -> bool:
    """Whether a row can be read; a power cut may leave half a row or zero bytes at the end."""
    try:
        int(row["step"])
        for name in COLUMNS:
            if row[name] != "":
                float(row[name])
    except (TypeError, ValueError):
        return False
    return True
