"""The command `xunwen search`."""

import json
from typing import Annotated, cast

import typer
from rich.table import Table
from rich.text import Text

from services.common.citations.forms import CitationForm
from services.common.wire.facets import Facet
from services.common.wire.passages import PassagePlace
from services.common.wire.recall import Mode
from xunwen.cli.context import (
    AsJson,
    client_of,
    console,
    harmless,
    json_object,
    print_json,
    value_text,
)
from xunwen.client import Hit, SearchAnswer, SearchOptions

_SNIPPET = 90


def register(app: typer.Typer) -> None:
    """Adds the command to the main application."""
    app.command("search")(search)


def search(
    ctx: typer.Context,
    query: Annotated[
        str | None,
        typer.Argument(help="Query; without it, documents are listed by filter and sort."),
    ] = None,
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Collection to search.")
    ] = "literature",
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", help="Number of hits; 10 if left out.")
    ] = None,
    recall_k: Annotated[
        int | None, typer.Option(help="Number of candidates to recall; 1,000 if left out.")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="Legs that recall; hybrid if left out.")] = None,
    filter: Annotated[
        str | None,
        typer.Option(
            "--filter", "-f", help='Filter as JSON, for example \'{"discipline": "数学"}\'.'
        ),
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Partition to search, in a collection that was created with --partition-key.",
        ),
    ] = None,
    rank: Annotated[bool, typer.Option(help="Rank the recalled candidates.")] = True,
    diversity: Annotated[
        float | None, typer.Option(help="Weight of variety among the hits, 0 to 1; 0 if left out.")
    ] = None,
    budget_ms: Annotated[
        int | None, typer.Option(help="Time in milliseconds that the answer may take.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the scores of each phase.")
    ] = False,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            help="Name of a member to show besides id and score; may be given more than once.",
        ),
    ] = None,
    syntax: Annotated[
        str | None,
        typer.Option(help="`fields` allows operators in the query, such as year:2015..2020 -word."),
    ] = None,
    phrases: Annotated[
        list[str] | None,
        typer.Option(
            "--phrase", help="Phrase that title or text must hold; may be given more than once."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", help="Phrase that neither may hold; may be given more than once."
        ),
    ] = None,
    facets: Annotated[
        list[str] | None,
        typer.Option("--facet", help="Count the values of a field; may be given more than once."),
    ] = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(
            "--sort", help="Sort by a field, `-year` for descending; may be given more than once."
        ),
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="Show the best hit of each value of a field.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out hits with a lower score, 0 to 1.")
    ] = None,
    boosts: Annotated[
        list[str] | None,
        typer.Option(
            "--boost",
            help="Field that raises or lowers scores, as JSON, for example"
            ' \'{"field": "year", "recency": "5y"}\'; may be given more than once.',
        ),
    ] = None,
    cursor: Annotated[
        str | None,
        typer.Option(help="`*` for the first of many pages; each page names the next cursor."),
    ] = None,
    cite: Annotated[
        CitationForm | None, typer.Option(help="Print the hits as references in this form.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search a collection.

    Example: xunwen search "国有企业引入非国有资本对创新绩效的影响"
    """
    given = {
        "collection": collection,
        "top_k": top_k,
        "recall_k": recall_k,
        "mode": mode and mode.value,
        "filter": json_object(filter, "filter"),
        "partition": partition,
        "rank": rank,
        "diversity": diversity,
        "budget_ms": budget_ms,
        "explain": explain,
        "fields": fields or None,
        "syntax": syntax,
        "phrases": phrases or None,
        "exclude": exclude or None,
        "facets": facets or None,
        "sort": sort or None,
        "group_by": group_by,
        "min_score": min_score,
        "boosts": [json_object(one, "boost") for one in boosts or []] or None,
        "cursor": cursor,
    }
    # The server checks the values and says what is possible.
    options = cast(SearchOptions, {k: value for k, value in given.items() if value is not None})
    if cite is not None:
        with client_of(ctx) as client:
            references = client.cite_search(query, form=cite, **options)
        typer.echo(harmless(references), nl=False)
        return
    with client_of(ctx) as client:
        answer = client.search(query, **options)
    if as_json:
        print_json(answer)
        return
    console.print(_table(answer, explain, fields) if answer.hits else "Nothing was found.")
    for name, counts in (answer.facets or {}).items():
        console.print(_counts(name, counts))
    console.print(_summary(answer))


def _table(answer: SearchAnswer, explain: bool, fields: list[str] | None) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=True, header_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right")
    table.add_column("document", overflow="fold", ratio=1)
    table.add_column("field", style="dim")
    if explain:
        table.add_column("scores", style="dim")
    for place, hit in enumerate(answer.hits, start=1):
        score = f"{hit.score:.3f}" if answer.query else ""
        row: list[str | Text] = [str(place), score, _document(hit), _fields(hit, fields)]
        if explain:
            row.append("\n".join(f"{name} {value:.3f}" for name, value in hit.scores.items()))
        table.add_row(*row)
    return table


def _counts(name: str, facet: Facet) -> Text:
    line = Text(f"{name}: ", "bold")
    line.append(", ".join(f"{one.value} {one.count:,}" for one in facet.values), "none")
    if facet.other:
        line.append(f", other {facet.other:,}", "dim")
    if facet.missing:
        line.append(f", without {facet.missing:,}", "dim")
    return line


def _document(hit: Hit) -> Text:
    title = hit.title or hit.text or hit.id
    lines = _marked(_passage(hit, "title") or title, "bold")
    snippet = _passage(hit, "text") or (hit.text or "" if hit.title else "")
    if snippet:
        lines.append("\n")
        lines.append_text(_marked(_shortened(snippet), "dim"))
    if hit.passage is not None:
        lines.append(f"\n{_place(hit.passage, hit.passage_count)}", "dim italic")
    return lines


def _place(passage: PassagePlace, count: int | None) -> str:
    """Where a passage stands in its document."""
    page = f"p. {passage.page}" if passage.page else ""
    number = f"passage {passage.number + 1} of {count}"
    return " · ".join(filter(None, (page, passage.section, number)))


def _passage(hit: Hit, field: str) -> str:
    return " ".join(hit.highlights.get(field, [])[:2])


def _shortened(passage: str) -> str:
    plain = passage.replace("<em>", "").replace("</em>", "")
    return passage if len(plain) <= _SNIPPET * 2 else plain[:_SNIPPET] + "…"


def _marked(passage: str, style: str) -> Text:
    """The text with the parts between <em> and </em> coloured."""
    text = Text()
    for place, piece in enumerate(passage.split("<em>")):
        marked, _, rest = piece.partition("</em>") if place else ("", "", piece)
        text.append(marked, f"{style} green")
        text.append(rest, style)
    return text


def _fields(hit: Hit, chosen: list[str] | None) -> str:
    """The chosen fields of a hit, else one that tells hits apart."""
    if chosen:
        there = [name for name in chosen if name in hit.fields]
        return "\n".join(f"{name}: {value_text(hit.fields[name])}" for name in there)
    for name in ("discipline", "category"):
        if name in hit.fields:
            return value_text(hit.fields[name])
    return next((str(value) for value in hit.fields.values() if isinstance(value, str)), "")


def _summary(answer: SearchAnswer) -> Text:
    stages = ", ".join(f"{stage.name} {stage.took_ms:.0f}" for stage in answer.stages)
    line = Text(f"{len(answer.hits)} hits", "dim")
    if answer.total is not None:
        counted = "documents" if answer.counted == "exact" else "candidates"
        line.append(f" of {answer.total:,} {counted}")
    line.append(f" in {answer.took_ms:.0f} ms")
    if stages:
        line.append(f" ({stages})")
    if answer.cached:
        line.append(", from the cache")
    if (meant := answer.understood) is not None:
        parts = [meant.query or "", *(f'"{phrase}"' for phrase in meant.phrases)]
        parts += [f"-{word}" for word in meant.exclude]
        parts += [json.dumps(meant.filter, ensure_ascii=False)] if meant.filter else []
        parts += [json.dumps(one.members(), ensure_ascii=False) for one in meant.boosts]
        line.append(f"\nunderstood: {' '.join(part for part in parts if part)}")
    if answer.next_cursor:
        line.append(f"\nnext page: --cursor {answer.next_cursor}")
    if answer.degraded:
        line.append(f"\nwithout: {', '.join(answer.degraded)}", "yellow")
    return line
