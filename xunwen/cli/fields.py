"""The command `xunwen collections fields`: declared types of metadata fields."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from services.common.field_types import FieldType
from services.common.wire.collections import Collection
from xunwen.cli.context import AsJson, client_of, console, print_json
from xunwen.client import XunwenError

TYPES_HELP = (
    "Field and its type, `year=number`; the types are keyword, keywords, number, date and text;"
    " `title=text:3` lets the words of titles count three times."
)


def fields(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")],
    declared: Annotated[
        list[str] | None, typer.Argument(metavar="FIELD=TYPE...", help=TYPES_HELP)
    ] = None,
    learn: Annotated[
        bool,
        typer.Option("--learn", help="Declare every field whose stored values all fit one type."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Declare types of metadata fields, or show the declared ones.

    Documents that are written later are checked; `xunwen collections rebuild` checks the others and
    makes the columns that filters then use.
    """
    types = types_of(declared or [])
    with client_of(ctx) as client:
        collection = client.collection(name)
        if learn:
            known = {*types, *collection.fields}
            types |= {
                one.name: one.type.value
                for one in client.statistics(name).fields
                if one.type is not None and one.name not in known
            }
        if types:
            collection = client.declare_fields(name, types)
    if as_json:
        print_json({field: one.model_dump(mode="json") for field, one in collection.fields.items()})
        return
    for line in lines(collection):
        console.print(line)


def types_of(declared: Sequence[str]) -> dict[str, Any]:
    """The types that words such as `year=number` declare. Raises XunwenError."""
    types: dict[str, Any] = {}
    for word in declared:
        field, _, kind = word.rpartition("=")
        kind, _, weight = kind.partition(":")
        if not field or not kind or (weight and not weight.isdigit()):
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
