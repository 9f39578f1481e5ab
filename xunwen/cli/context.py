"""What every command shares: the gateway's address, the key, and where output goes."""

import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console

from xunwen.client import Client
from xunwen.client.exchange import DEFAULT_URL

AsJson = Annotated[
    bool, typer.Option("--json", help="Machine-readable output: JSON, lists as JSON lines.")
]

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where and as whom commands talk to the gateway."""

    url: str | None
    api_key: str | None
    timeout: float

    def client(self) -> Client:
        return Client(self.url or local_url(), api_key=self.api_key, timeout=self.timeout)


def client_of(ctx: typer.Context) -> Client:
    """The client for this command line; a context manager."""
    connection = ctx.find_object(Connection)
    if connection is None:  # a command called without the main application
        connection = Connection(None, None, 30.0)
    return connection.client()


def local_url() -> str:
    """Where the embedded system of this machine answers, as its last start noted."""
    if importlib.util.find_spec("pydantic_settings") is None:
        return DEFAULT_URL
    from xunwen.embedded.settings import EmbeddedSettings, last_settings

    return last_settings(EmbeddedSettings()).gateway_url


def print_json(value: BaseModel | dict[str, Any]) -> None:
    """One JSON document on a line of stdout."""
    if isinstance(value, BaseModel):
        typer.echo(value.model_dump_json())
    else:
        typer.echo(json.dumps(value, ensure_ascii=False))


def print_json_lines(values: Iterable[BaseModel]) -> None:
    for value in values:
        print_json(value)


def time_of(moment: Any) -> str:
    """A point in time as people of this machine read it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def json_object(text: str | None, what: str) -> dict[str, Any] | None:
    """The object that an option holds as JSON; wrong usage when it is none."""
    if text is None:
        return None
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the {what} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise typer.BadParameter(f"the {what} is not a JSON object")
    return parsed
