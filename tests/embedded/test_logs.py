"""As many lines of a log as were asked for, and all later ones, over rotations."""

from itertools import islice
from pathlib import Path

import pytest

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.logs import log_lines
from xunwen.embedded.settings import EmbeddedSettings

LINE = "x" * 100


def written(path: Path, first: int, count: int) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.writelines(f"{number} 行\u2028{LINE}\n" for number in range(first, first + count))


def numbers(lines: list[tuple[str, str]]) -> list[int]:
    return [int(line.split(" ")[0]) for _, line in lines]


@pytest.mark.parametrize(("there", "asked"), [(5_000, 3_000), (5_000, 1), (3, 20), (0, 20)])
def test_as_many_lines_as_asked_for(there: int, asked: int, settings: EmbeddedSettings) -> None:
    written(settings.log_dir / "gateway.log", 0, there)
    lines = list(log_lines(settings, "gateway", asked, follow=False))
    assert numbers(lines) == list(range(max(0, there - asked), there))
    assert all(line.endswith(LINE) for _, line in lines)


def test_a_line_that_is_not_ended_is_shown(settings: EmbeddedSettings) -> None:
    (settings.log_dir / "rank.log").write_bytes(b"1\n2\nhalf")
    written(settings.log_dir / "recall.log", 0, 1)
    lines = list(log_lines(settings, None, 2, follow=False))
    assert [(part, line[:4]) for part, line in lines] == [
        *[("rank", "2"), ("rank", "half")],
        ("recall", "0 行\u2028"),
    ]


def test_no_line_is_lost_or_told_twice_while_it_is_followed(settings: EmbeddedSettings) -> None:
    log = settings.log_dir / "gateway.log"
    written(log, 0, 10)
    with log.open("ab") as stream:
        stream.write(b"10 half")
    lines = log_lines(settings, "gateway", 3, follow=True)
    seen = list(islice(lines, 2))
    with log.open("ab") as stream:
        stream.write(b" whole\n")
    written(log, 11, 2)
    log.rename(log.with_name("gateway.log.1"))  # as supervisord rotates
    seen += islice(lines, 3)
    written(log, 13, 500)
    seen += islice(lines, 500)
    log.write_bytes(b"")  # as people empty a log
    written(log, 513, 1)
    seen += islice(lines, 1)
    assert numbers(seen) == list(range(8, 514))
    assert seen[2] == ("gateway", "10 half whole")


def test_a_part_without_a_log(settings: EmbeddedSettings) -> None:
    with pytest.raises(EmbeddedError, match="nothing was started"):
        list(log_lines(settings, None, 1, follow=False))
    written(settings.log_dir / "gateway.log", 0, 1)
    with pytest.raises(EmbeddedError, match="there are: gateway"):
        list(log_lines(settings, "rank", 1, follow=False))
