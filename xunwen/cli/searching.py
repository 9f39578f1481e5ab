"""`xunwen search`."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from services.common.wire.recall import Mode
from xunwen.cli.context import AsJson, client_of, console, json_object, print_json
from xunwen.client import Hit, SearchAnswer, SearchOptions

_SNIPPET = 90


def register(app: typer.Typer) -> None:
    app.command("search")(search)


def search(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="What to search for.")],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Where to search.")
    ] = "literature",
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many hits.")] = 10,
    mode: Annotated[Mode, typer.Option(help="Which legs recall.")] = Mode.HYBRID,
    filter: Annotated[
        str | None,
        typer.Option("--filter", "-f", help="""JSON, for example '{"discipline": "数学"}'."""),
    ] = None,
    rank: Annotated[bool, typer.Option(help="Rank what was recalled.")] = True,
    budget_ms: Annotated[int | None, typer.Option(help="Milliseconds the answer may take.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the scores per phase.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search a collection.

    Example: xunwen search "国有企业引入非国有资本对创新绩效的影响"
    """
    # The server checks the values and says what is possible.
    options: SearchOptions = {
        "collection": collection,
        "top_k": top_k,
        "mode": mode.value,
        "rank": rank,
        "explain": explain,
    }
    condition = json_object(filter, "filter")
    if condition is not None:
        options["filter"] = condition
    if budget_ms is not None:
        options["budget_ms"] = budget_ms
    with client_of(ctx) as client:
        answer = client.search(query, **options)
    if as_json:
        print_json(answer)
        return
    console.print(_table(answer, explain) if answer.hits else "Nothing was found.")
    console.print(_summary(answer))


def _table(answer: SearchAnswer, explain: bool) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=True, header_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right")
    table.add_column("document", overflow="fold", ratio=1)
    table.add_column("field", style="dim")
    if explain:
        table.add_column("scores", style="dim")
    for place, hit in enumerate(answer.hits, start=1):
        row: list[str | Text] = [str(place), f"{hit.score:.3f}", _document(hit), _field(hit)]
        if explain:
            row.append("\n".join(f"{name} {value:.3f}" for name, value in hit.scores.items()))
        table.add_row(*row)
    return table


def _document(hit: Hit) -> Text:
    title = hit.title or hit.text or hit.id
    lines = _marked(_passage(hit, "title") or title, "bold")
    snippet = _passage(hit, "text") or (hit.text or "" if hit.title else "")
    if snippet:
        lines.append("\n")
        lines.append_text(_marked(_shortened(snippet), "dim"))
    return lines


def _passage(hit: Hit, field: str) -> str:
    return "…".join(hit.highlights.get(field, [])[:2])


def _shortened(passage: str) -> str:
    plain = passage.replace("<em>", "").replace("</em>", "")
    return passage if len(plain) <= _SNIPPET * 2 else plain[:_SNIPPET] + "…"


def _marked(passage: str, style: str) -> Text:
    """Text with what stands between <em> and </em> coloured."""
    text = Text()
    for place, piece in enumerate(passage.split("<em>")):
        marked, _, rest = piece.partition("</em>") if place else ("", "", piece)
        text.append(marked, f"{style} green")
        text.append(rest, style)
    return text


def _field(hit: Hit) -> str:
    for name in ("discipline", "category"):
        if name in hit.fields:
            return str(hit.fields[name])
    return next((str(value) for value in hit.fields.values() if isinstance(value, str)), "")


def _summary(answer: SearchAnswer) -> Text:
    seen = max((stage.candidates or 0 for stage in answer.stages), default=0)
    stages = ", ".join(f"{stage.name} {stage.took_ms:.0f}" for stage in answer.stages)
    line = Text(f"{len(answer.hits)} hits", "dim")
    if seen:
        line.append(f" of {seen:,} candidates")
    line.append(f" in {answer.took_ms:.0f} ms")
    if stages:
        line.append(f" ({stages})")
    if answer.cached:
        line.append(", from the cache")
    if answer.degraded:
        line.append(f"\nwithout: {', '.join(answer.degraded)}", "yellow")
    return line
