"""The commands `xunwen rules`: synonyms, stop words, pinned and hidden documents."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from services.common.validation import first_reason
from services.common.wire.query_rules import QueryPins, QueryRules, StoredRules, Synonyms
from xunwen.cli import words
from xunwen.cli.context import AsJson, client_of, console, json_of, print_json, read_text
from xunwen.client import XunwenError

group = typer.Typer(
    help="Query rules of a collection: synonyms, stop words, pins.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    group.command()(words.words)
    app.add_typer(group, name="rules")


Rule = TypeVar("Rule", bound=BaseModel)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")]


@group.command()
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the rules of a collection; their JSON can be given to `rules set`."""
    with client_of(ctx) as client:
        rules = client.query_rules(name)
    if as_json:
        print_json(rules.model_dump(exclude_none=True))
        return
    for group in rules.synonyms:
        line = ", ".join(group.words)
        if group.also is not None:
            line += f" => {', '.join(group.also)}"
        console.print(line)
    if rules.stop_words:
        console.print(f"stop words: {', '.join(rules.stop_words)}")
    for one in rules.queries:
        parts = [f"pinned {' '.join(one.pinned)}"] if one.pinned else []
        parts += [f"hidden {' '.join(one.hidden)}"] if one.hidden else []
        console.print(f"{one.query}: {', '.join(parts)}")


@group.command("set")
def set_rules(
    ctx: typer.Context,
    name: Name,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="File of JSON with `synonyms`, `stop_words` and `queries`; if it has a `version`,"
            " it is refused if the rules were changed since.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Replace all rules of a collection by those of a file."""
    try:
        rules = json_of(read_text(file))
    except ValueError as error:
        raise XunwenError(f"{file.name} is not JSON: {error}.") from error
    if not isinstance(rules, dict):
        raise XunwenError(f"{file.name} is not a JSON object with `synonyms`, for example.")
    _write(ctx, name, rules, as_json)


@group.command()
def synonyms(
    ctx: typer.Context,
    name: Name,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="File with words separated by commas on each line, or `手机 => 智能手机` for one"
            " direction, as Solr and Elasticsearch read them.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Replace the synonyms of a collection by those of a file; the other rules stay."""
    groups = [
        _group(line, f"{file.name}, line {number}")
        for number, line in enumerate(read_text(file).splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    with client_of(ctx) as client:
        rules = client.query_rules(name)
    _write(ctx, name, rules.model_copy(update={"synonyms": groups}), as_json)


@group.command("stop-words")
def stop_words(
    ctx: typer.Context,
    name: Name,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD...", help="Stop words; without any, all are removed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set the words that are left out of queries; the other rules stay."""
    with client_of(ctx) as client:
        rules = client.query_rules(name)
    _write(ctx, name, rules.model_copy(update={"stop_words": words or []}), as_json)


@group.command()
def pin(
    ctx: typer.Context,
    name: Name,
    query: Annotated[str, typer.Argument(help="The whole query.")],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Ids of documents that come first.")
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(
            "--hide",
            metavar="ID",
            help="Id of a document that the query does not find; may be given more than once.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set what one query finds first and what it does not find; without ids the query has no rule.

    Example: xunwen rules pin literature "量子计算" paper-17 --hide paper-99
    """
    with client_of(ctx) as client:
        rules = client.query_rules(name)
    others = [one for one in rules.queries if one.query != query]
    if ids or hide:
        given = {"query": query, "pinned": ids or [], "hidden": hide or []}
        others.append(_valid(QueryPins, given))
    elif len(others) == len(rules.queries):
        raise XunwenError(
            f"There is no rule for the query {query!r}; `xunwen rules show {name}` shows how the"
            " queries with rules are written."
        )
    _write(ctx, name, rules.model_copy(update={"queries": others}), as_json)


def _valid(kind: type[Rule], given: dict[str, Any]) -> Rule:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise XunwenError(f"{first_reason(error)}.") from error


def _group(line: str, where: str) -> Synonyms:
    """The group of synonyms of a line. Raises XunwenError."""
    written = [side.replace("，", ",").split(",") for side in line.split("=>")]
    sides = [[word.strip() for word in side if word.strip()] for side in written]
    if len(sides) > 2 or not all(sides) or (len(sides) == 1 and len(sides[0]) < 2):
        raise XunwenError(f"{where}: write words with commas, or `words => words`.")
    given: dict[str, Any] = {"words": sides[0]}
    if len(sides) == 2:
        given["also"] = sides[1]
    return _valid(Synonyms, given)


def _write(
    ctx: typer.Context, name: str, rules: StoredRules | QueryRules | dict[str, Any], as_json: bool
) -> None:
    with client_of(ctx) as client:
        written = client.put_query_rules(name, rules)
    if as_json:
        print_json(written)
        return
    console.print(f"query rules of {name} changed")
    if written.unknown_ids:
        console.print(f"no document has the ids: {' '.join(written.unknown_ids)}")
