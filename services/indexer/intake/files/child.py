"""`python -m services.indexer.intake.files.child`: reads files that may crash or hang a reader.

A request is a line of JSON on standard input, {"kind", "path", "charset", "ocr", "computing",
"seconds"}, with the command that recognises text, and the seconds of the processor and by the clock
that the file may take. The answers are lines on standard output: {"ready": true} at the start, then
for each request any number of {"part": ...} and at the end {"done": true} or {"problem": "..."},
with a "failure" for the log where a reader failed. {"recognising": seconds} says before a page is
recognised how long that may take; the time of the file begins anew with it. The process ends with
its standard input, or at the latest some seconds after the time for a file has run out, also where
nobody is left to end it.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from services.common.documents import MAX_BODY_BYTES
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.files.extracted import (
    Extracted,
    Unreadable,
    within,
)
from services.indexer.intake.files.limits import limit
from services.indexer.intake.files.ocr import Ocr

_GRACE_SECONDS = 5
"""Seconds after the time limit of a file at which the process ends by itself."""
_LOGGED_CHARS = 300
"""Most characters of a failure that are logged."""
_OUTPUT_FILES = 64 << 20
"""Largest file in bytes that the process may write; readers write none."""


def main() -> int:
    """Answers requests until there are no more. The argument is the limit of memory in bytes."""
    memory = int(sys.argv[1])
    limit(resource.RLIMIT_AS, memory)
    limit(resource.RLIMIT_FSIZE, _OUTPUT_FILES)
    limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Output that a library prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _say(answers, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        # Signals that nothing here handles: they end the process within a library, too.
        signal.setitimer(signal.ITIMER_PROF, request["computing"])
        signal.alarm(int(request["seconds"]) + _GRACE_SECONDS)
        _answer(request, answers)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return 0


def _answer(request: dict[str, Any], answers: IO[str]) -> None:
    charset = Charset(request["charset"]) if request["charset"] else None

    def recognising(seconds: int) -> None:
        _say(answers, {"recognising": seconds})
        signal.setitimer(signal.ITIMER_PROF, request["computing"])
        signal.alarm(seconds + int(request["seconds"]) + _GRACE_SECONDS)

    ocr = Ocr(request["ocr"], recognising) if request["ocr"] else None
    try:
        for part in reader(request["kind"], ocr)(Path(request["path"]), charset):
            _say(answers, {"part": part})
    except Unreadable as problem:
        _say(answers, {"problem": str(problem)})
    except MemoryError:
        _say(answers, {"memory": True})
    except Exception as error:  # noqa: BLE001 - readers of broken files raise whatever they like
        failure = f"{request['kind']}: {type(error).__name__}: {error}"[:_LOGGED_CHARS]
        _say(answers, {"problem": "is damaged: its reader fails on it", "failure": failure})
    else:
        _say(answers, {"done": True})


def reader(kind: str, ocr: Ocr | None) -> Callable[[Path, Charset | None], Iterator[Any]]:
    """The reader of a kind of file; its library is loaded when it is first needed."""
    if kind == InputFormat.PDF:
        from services.indexer.intake.files.pdf import read_pdf

        return lambda path, _: _one(read_pdf(path, ocr))
    if kind == InputFormat.DOCX:
        from services.indexer.intake.files.docx import read_docx

        return lambda path, _: _one(read_docx(path))
    if kind == InputFormat.HTML:
        from services.indexer.intake.files.html import read_html

        return lambda path, charset: _one(read_html(path, charset))
    if kind in (InputFormat.MARKDOWN, InputFormat.TEXT):
        from services.indexer.intake.files.plain import read_markdown, read_text

        read = read_markdown if kind == InputFormat.MARKDOWN else read_text
        return lambda path, charset: _one(read(path, charset))
    from services.indexer.intake.files.sheets import header_of, read_sheets

    if kind == "header":
        return lambda path, _: iter([header_of(path)])
    return lambda path, _: read_sheets(path)


def _one(document: Extracted) -> Iterator[dict[str, Any]]:
    whole = len(document.body)
    document.body = within(document.body, MAX_BODY_BYTES)
    document.left_out = whole - len(document.body)
    yield asdict(document)


def _say(answers: IO[str], answer: dict[str, Any]) -> None:
    text = json.dumps(answer, ensure_ascii=False)
    answers.write(text.encode("utf-8", "replace").decode() + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
