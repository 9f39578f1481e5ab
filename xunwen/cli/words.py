"""The command `xunwen rules words`: the words that a collection's segmenter keeps whole."""

from pathlib import Path
from typing import Annotated

import typer

from services.common.dictionary_files import read_words
from services.common.errors import DictionaryInvalid
from xunwen.cli.context import AsJson, client_of, console, print_json
from xunwen.client import XunwenError


def words(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="File of words in UTF-8, one a line; an empty one removes all. Without a file the"
            " present words are shown.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set or show the words that are kept whole; `xunwen collections rebuild` applies them."""
    with client_of(ctx) as client:
        if file is None:
            found = client.dictionary(name)
            if as_json:
                print_json(found)
                return
            for word in found.words:
                console.print(word)
            waiting = found.waiting
        else:
            written = client.put_dictionary(name, _read(file))
            if as_json:
                print_json(written)
                return
            console.print(f"{written.words:,} words in the dictionary of {name}")
            waiting = written.waiting
    if waiting:
        console.print(f"Searches use them after: xunwen collections rebuild {name}", style="dim")


def _read(file: Path) -> list[str]:
    """The words of a file. Raises XunwenError."""
    try:
        return read_words(file)
    except DictionaryInvalid as error:
        raise XunwenError(f"{error.detail}.") from error
