"""The commands `xunwen keys`. They write to the state Redis themselves, so that the first key needs
no key."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from services.common.errors import SearchError
from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.gateway.access.keys import ApiKey, Scope, new_key
from services.gateway.access.keystore import KeyStore
from services.gateway.stores.redis_client import GuardedRedis
from xunwen.cli.context import AsJson, console, print_json, refuse_other_gateway, time_of
from xunwen.client import XunwenError
from xunwen.embedded.settings import EmbeddedSettings, last_settings

app = typer.Typer(
    help="API keys: create, list, rotate, revoke. Works on the state Redis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Result = TypeVar("Result")
_BY = "xunwen keys"

State = Annotated[
    str | None,
    typer.Option(
        "--state",
        envvar="XUNWEN_GATEWAY_STATE_REDIS_URL",
        help="Address of the state Redis. Default: that of `xunwen up` on this machine.",
    ),
]
Which = Annotated[str, typer.Argument(metavar="KEY", help="Id or name of the key.")]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name by which people tell keys apart.")],
    scope: Annotated[
        list[Scope],
        typer.Option(help="Scope of the key; may be given more than once. `admin` includes all."),
    ] = [Scope.SEARCH],  # noqa: B006  (typer reads it, nobody changes it)
    collection: Annotated[
        list[str] | None,
        typer.Option(
            help="Collection that the key sees; may be given more than once. By default it sees"
            " all."
        ),
    ] = None,
    tenant: Annotated[
        str,
        typer.Option(
            help="Tenant of the key; keys of one tenant share cached answers and idempotency keys."
        ),
    ] = "-",
    rate: Annotated[
        float | None,
        typer.Option(help="Most requests per second on average; no limit if left out."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, which is shown once; only its hash is stored."""
    try:
        key, record = new_key(
            name,
            frozenset(scope),
            collections=frozenset(collection) if collection else None,
            tenant=tenant,
            rate=rate,
        )
    except SearchError as error:
        raise XunwenError(error.detail) from error

    async def add(store: KeyStore) -> None:
        if any(each.name == name for each in await store.all()):
            raise XunwenError(f"There is a key {name!r} already; choose another name.")
        await store.add(record, by=_BY)

    _run(ctx, state, add)
    _show_new(key, record, as_json)


@app.command("list")
def list_keys(ctx: typer.Context, state: State = None, as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    records = _run(ctx, state, KeyStore.all)
    if as_json:
        for record in records:
            print_json(_members(record))
    else:
        console.print(_table(records) if records else "There are no keys.")


@app.command()
def rotate(ctx: typer.Context, which: Which, state: State = None, as_json: AsJson = False) -> None:
    """Give a key a new secret; the old one becomes invalid at once."""
    key, record = _run(ctx, state, lambda store: store.rotate(which, by=_BY))
    _show_new(key, record, as_json)


@app.command()
def revoke(ctx: typer.Context, which: Which, state: State = None, as_json: AsJson = False) -> None:
    """Revoke a key at once."""
    record = _run(ctx, state, lambda store: store.revoke(which, by=_BY))
    if as_json:
        print_json({"revoked": record.id})
    else:
        console.print(f"{record.name} ({record.id}) revoked")


@app.command()
def audit(
    ctx: typer.Context,
    n: Annotated[int, typer.Option("-n", min=1, help="Most actions to show.")] = 20,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest admin actions, the newest first."""
    events = _run(ctx, state, lambda store: store.audit(n))
    if as_json:
        for event in events:
            print_json(event)
        return
    table = Table("time", "by", "action", "key", box=None)
    for event in events:
        table.add_row(time_of(_moment(event["at"])), event["by"], event["action"], event["key"])
    console.print(table if events else "The log holds no action yet.")


def _run(
    ctx: typer.Context, state: str | None, work: Callable[[KeyStore], Awaitable[Result]]
) -> Result:
    """The result of work on the key store. Raises XunwenError with the cause of a failure."""
    if state is None:
        refuse_other_gateway(
            ctx,
            "keys",
            "It writes to the state Redis: name the one of that gateway with --state, or leave"
            " --url and XUNWEN_URL out for the system of this machine.",
        )
    url = state or f"redis://127.0.0.1:{last_settings(EmbeddedSettings()).state_port}/0"

    async def run() -> Result:
        async with opened_redis(RedisAddress.parse(url)) as redis:
            return await work(KeyStore(GuardedRedis(redis, "state Redis")))

    try:
        return asyncio.run(run())
    except SearchError as error:
        hint = " Start it with `xunwen up`, or name another with --state."
        raise XunwenError(error.detail + (hint if error.status == 503 else "")) from error
    except ValueError as error:  # the text is no address
        raise XunwenError(f"--state {error}.") from error


def _show_new(key: str, record: ApiKey, as_json: bool) -> None:
    if as_json:
        print_json({"key": key, **_members(record)})
    else:
        typer.echo(key)
        typer.echo(f"{record.name} ({record.id}); it is not shown again.", err=True)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _members(record: ApiKey) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "scopes": sorted(record.scopes),
        "collections": None if record.collections is None else sorted(record.collections),
        "tenant": record.tenant,
        "rate": record.rate,
        "created_at": _moment(record.created_at).isoformat(),
    }


def _table(records: list[ApiKey]) -> Table:
    table = Table("id", "name", "scopes", "collections", "tenant", "rate", "created", box=None)
    for record in records:
        table.add_row(
            record.id,
            record.name,
            " ".join(sorted(record.scopes)),
            "all" if record.collections is None else " ".join(sorted(record.collections)),
            record.tenant,
            "" if record.rate is None else f"{record.rate:g}/s",
            time_of(_moment(record.created_at)),
        )
    return table
