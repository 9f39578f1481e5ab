"""The command `xunwen collections fields`: declared types of metadata fields."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from services.common.fields.types import MAX_TYPES, FieldType
from services.common.wire.collections import Collection
from services.common.wire.contents import CollectionStatistics
from xunwen.cli.context import AsJson, client_of, console, harmless, print_json
from xunwen.client import XunwenError

TYPES_HELP = (
    "Field and its type, `year=number`; the types are keyword, keywords, number, date and text;"
    " `title=text:3` lets the words of titles count three times."
)

_WEIGHT = re.compile(r"[0-9]{0,9}")


def fields(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")],
    declared: Annotated[
        list[str] | None, typer.Argument(metavar="FIELD=TYPE...", help=TYPES_HELP)
    ] = None,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn",
            help="Declare the fields whose stored values all fit one type, the most frequent ones"
            " if there are too many.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Declare types of metadata fields, or show the declared ones.

    Documents that are written later are checked; `xunwen collections rebuild` checks the others and
    makes the columns that filters then use.
    """
    types = types_of(declared or [])
    left: list[str] = []
    with client_of(ctx) as client:
        collection = client.collection(name)
        if learn:
            known = {*types, *collection.fields}
            more, left = _learnt(client.statistics(name), known)
            types |= more
        if types:
            collection = client.declare_fields(name, types)
    if left:
        typer.echo(
            f"not declared, since a collection has {MAX_TYPES} declared fields at most:"
            f" {harmless(', '.join(left))}",
            err=True,
        )
    if as_json:
        print_json({field: one.model_dump(mode="json") for field, one in collection.fields.items()})
        return
    for line in lines(collection):
        console.print(line)


def _learnt(statistics: CollectionStatistics, known: set[str]) -> tuple[dict[str, Any], list[str]]:
    """The types that stored values have, of as many fields as can be declared beside the known
    ones, and the names of the others."""
    learnt = {
        one.name: one.type.value
        for one in statistics.fields
        if one.type is not None and one.name not in known
    }
    names, room = list(learnt), max(0, MAX_TYPES - len(known))
    return {name: learnt[name] for name in names[:room]}, names[room:]


def types_of(declared: Sequence[str]) -> dict[str, Any]:
    """The types that words such as `year=number` declare. Raises XunwenError."""
    types: dict[str, Any] = {}
    for word in declared:
        field, _, kind = word.rpartition("=")
        kind, _, weight = kind.partition(":")
        if not field or not kind or not _WEIGHT.fullmatch(weight):
            raise XunwenError(
                f"{word!r} declares no type; write a field and its type: year=number."
            )
        types[field] = {"type": kind, "weight": int(weight)} if weight else kind
    return types


def lines(collection: Collection) -> list[str]:
    """The declared types of a collection, a line each."""
    if not collection.fields:
        return ["No field has a declared type."]
    return [
        f"{field}: {_shown(one)}"
        + (", names the partition" if field == collection.partition_key else "")
        + (", filters use it after a rebuild" if field in collection.waiting_fields else "")
        for field, one in collection.fields.items()
    ]


def _shown(declared: FieldType) -> str:
    weight = f", weight {declared.weight}" if declared.weight != 1 else ""
    return f"{declared.type.value}{weight}"
