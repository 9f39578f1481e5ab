"""`xunwen eval own` measures your queries and judgements, offline by a model or online by a
collection."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from services.common.calls.client import ServiceClient
from services.common.errors import SearchError
from services.common.text import WordAnalyzer
from services.common.wire.recall import MAX_QUERY_CHARS
from training.cli.options import PrecisionOption
from training.cli.outcomes import Outcomes, ReportOption, ToleranceOption
from training.evaluation import legs
from training.evaluation.comparison import load_run
from training.evaluation.judgements import JudgedQueries, read_judged
from training.evaluation.legs import Rankings
from training.evaluation.models import encoder_at, ranker_at
from training.evaluation.served import run_task
from training.failures import DataInvalid, plain_errors
from training.targets import check_target
from xunwen.client import AsyncClient, XunwenError
from xunwen.embedded.settings import EmbeddedSettings, last_settings

_TIMEOUT_SECONDS = 120.0


def main(
    queries: Annotated[
        Path,
        typer.Argument(help="BEIR directory, queries for --qrels, or lines of query TAB title"),
    ],
    qrels: Annotated[
        Path | None, typer.Option(help="File of TREC or BEIR judgements by id")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="File of documents: jsonl, or one text on each line")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(help="Offline: model directory or checkpoint; without one, BM25 only"),
    ] = None,
    ranker: Annotated[
        Path | None, typer.Option(help="Offline: ranker that orders the hits of hybrid search anew")
    ] = None,
    collection: Annotated[
        str | None, typer.Option(help="Online: collection of a running system, instead of --corpus")
    ] = None,
    search_filter: Annotated[
        str | None, typer.Option("--filter", help="Online: filter as JSON")
    ] = None,
    gateway: Annotated[str | None, typer.Option(help="Online: address of the gateway")] = None,
    recall: Annotated[str | None, typer.Option(help="Online: address of recall")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="XUNWEN_API_KEY")] = None,
    internal_token: Annotated[str | None, typer.Option(envvar="XUNWEN_INTERNAL_TOKEN")] = None,
    rank_depth: Annotated[
        int, typer.Option(min=0, help="Offline: Number of candidates that the ranker orders alone")
    ] = 50,
    precision: PrecisionOption = "auto",
    cache: Annotated[
        Path | None, typer.Option(help="Folder in which document vectors are kept")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="File to which the measures of each query are written")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="File of an earlier --save to compare with")
    ] = None,
    tolerance: ToleranceOption = 1.0,
    report: ReportOption = None,
) -> None:
    """Measure search on your own queries; with --against, exit with 1 if a row got worse.

    Offline every document of --corpus is scored exactly; online the documents are those of the
    collection, and each phase of the cascade is a row.
    """
    with plain_errors():
        online = {"--filter": search_filter, "--gateway": gateway, "--recall": recall}
        offline = {"--encoder": encoder, "--ranker": ranker, "--cache": cache}
        if collection is None:
            _refuse(online, "is for a running system: name its --collection, or leave it away")
        else:
            _refuse(offline, "is for --corpus without a running system: leave --collection away")
        for target in (save, report):
            check_target(target)
        earlier = load_run(against) if against else None
        judged = read_judged(queries, qrels, corpus)
        if collection is None:
            if not len(judged.task.corpus):
                raise DataInvalid("give --corpus (a file) or --collection (of a running system)")
            rankings = _offline(judged, encoder, ranker, rank_depth, precision, cache)
        else:
            rankings = _online(
                judged,
                collection,
                _parsed(search_filter),
                _addresses(gateway, recall),
                api_key,
                internal_token,
            )
        outcomes = Outcomes(tolerance)
        outcomes.add(judged.task, judged.qrels, rankings, save=save, against=earlier)
        outcomes.end(report)


def _refuse(options: Mapping[str, object], reason: str) -> None:
    """Raises DataInvalid for an option that is given, since it would be without effect."""
    for name, value in options.items():
        if value is not None:
            raise DataInvalid(f"{name} {reason}")


def _offline(
    judged: JudgedQueries,
    encoder: Path | None,
    ranker: Path | None,
    rank_depth: int,
    precision: Any,
    cache: Path | None,
) -> Rankings:
    analyzer = WordAnalyzer()
    if encoder is None:
        if ranker is not None:
            raise DataInvalid("--ranker needs --encoder: it re-ranks what hybrid search found")
        return legs.rank_with_words(judged.task, analyzer)
    with ExitStack() as stack:
        vectors = stack.enter_context(encoder_at(encoder, precision))
        network = stack.enter_context(ranker_at(ranker, precision)) if ranker else None
        return legs.rank_with_legs(
            judged.task, analyzer, vectors, cache=cache, ranker=network, rank_depth=rank_depth
        )


def _online(
    judged: JudgedQueries,
    collection: str,
    search_filter: dict[str, Any] | None,
    addresses: tuple[str, str],
    api_key: str | None,
    internal_token: str | None,
) -> Rankings:
    if long := [each.id for each in judged.task.queries if len(each.text) > MAX_QUERY_CHARS]:
        raise DataInvalid(
            f"{len(long):,} queries have more than the {MAX_QUERY_CHARS:,} characters that a"
            f" collection is asked with, the first is {long[0][:40]!r}; shorten them, or measure"
            " with --corpus instead"
        )

    async def measured() -> Rankings:
        gateway_url, recall_url = addresses
        async with (
            AsyncClient(gateway_url, api_key=api_key, timeout=_TIMEOUT_SECONDS) as gateway,
            ServiceClient(
                "recall", recall_url, timeout=_TIMEOUT_SECONDS, token=internal_token
            ) as recall,
        ):
            run = await run_task(
                judged.task,
                collection,
                gateway,
                recall,
                concurrency=2,
                progress=lambda _more: None,
                search_filter=search_filter,
            )
        if run.degraded:
            typer.echo(f"Degraded answers: {dict(run.degraded)}", err=True)
        return run.rankings

    try:
        return asyncio.run(measured())
    except (XunwenError, SearchError) as error:
        raise DataInvalid(str(error)) from error
    except ExceptionGroup as errors:
        raise DataInvalid(f"A search failed: {errors.exceptions[0]}") from errors


def _parsed(search_filter: str | None) -> dict[str, Any] | None:
    if search_filter is None:
        return None
    try:
        parsed = json.loads(search_filter)
    except ValueError as error:
        raise DataInvalid(f"--filter is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise DataInvalid("--filter is no JSON object")
    return parsed


def _addresses(gateway: str | None, recall: str | None) -> tuple[str, str]:
    """Addresses of gateway and recall: those given, else what `xunwen up` started here."""
    local = last_settings(EmbeddedSettings())
    return gateway or local.gateway_url, recall or f"http://127.0.0.1:{local.recall_port}"
