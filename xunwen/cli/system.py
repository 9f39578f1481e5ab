"""`xunwen up`, `down`, `status`, `logs`: the embedded system of this machine."""

import importlib.util
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from xunwen.cli.context import AsJson, Output, console, print_json, print_json_lines
from xunwen.cli.exits import Exit
from xunwen.client import XunwenError

if TYPE_CHECKING:
    from xunwen.embedded.settings import EmbeddedSettings
    from xunwen.embedded.status import PartStatus


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    for command in (up, down, status, logs):
        app.command()(command)


def up(
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", "-d", help="Return when the system is ready, and leave it running."
        ),
    ] = False,
    sample: Annotated[
        bool, typer.Option(help="Index the sample literature on the first start.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Start everything on this machine and wait until it is ready. Ctrl-C stops it."""
    settings = _settings()
    from xunwen.embedded.launcher import detached, foreground
    from xunwen.embedded.lock import AlreadyRunning
    from xunwen.embedded.progress import ProgressDisplay
    from xunwen.embedded.settings import last_settings
    from xunwen.embedded.stopping import StopSignals

    resolved = settings.resolved()
    shown = Output(stderr=True) if as_json else console
    welcome = _address if as_json else _welcome
    try:
        if detach:
            with ProgressDisplay(shown) as progress:
                detached(resolved, progress, sample=sample)
            welcome(resolved, "Stop it with `xunwen down`.")
            return
        with StopSignals() as stop:
            display = ProgressDisplay(shown)
            with display, foreground(resolved, display, stop, sample=sample) as running:
                display.finish()
                welcome(resolved, "Ctrl-C stops it.")
                try:
                    running.wait(stop)
                finally:
                    shown.print("stopping ...")
        shown.print("stopped")
    except AlreadyRunning as running_already:
        shown.print(str(running_already))
        last = last_settings(settings)
        if as_json:
            _address(last, "")
        else:
            console.print(f"It answers at {last.gateway_url}")


def down(as_json: AsJson = False) -> None:
    """Stop the system that `xunwen up` started, from any folder."""
    settings = _settings()
    from xunwen.embedded import launcher
    from xunwen.embedded.settings import last_settings

    launcher.down(last_settings(settings))
    if as_json:
        print_json({"stopped": True})
    else:
        console.print("stopped")


def status(as_json: AsJson = False) -> None:
    """Show each part: its process, whether it is ready, and its address."""
    settings = _settings()
    from xunwen.embedded.settings import last_settings
    from xunwen.embedded.status import part_statuses

    parts = part_statuses(last_settings(settings))
    if as_json:
        print_json_lines(parts)
    else:
        console.print(_status_table(parts))
    if not all(part.ready for part in parts):
        raise typer.Exit(Exit.FAILED)


def logs(
    part: Annotated[
        str | None,
        typer.Argument(
            help="Part whose log is shown: gateway, recall, rank, indexer, worker, milvus, ..."
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="Number of lines of each log.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue with new lines as they come.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the log of one part or of all."""
    settings = _settings()
    from xunwen.embedded.logs import log_lines
    from xunwen.embedded.settings import last_settings

    for name, line in log_lines(last_settings(settings), part, lines, follow=follow):
        if as_json:
            print_json({"part": name, "line": line})
        else:
            typer.echo(line if part else f"{name:<8} {line}")


def _settings() -> "EmbeddedSettings":
    if importlib.util.find_spec("supervisor") is None:
        raise XunwenError(
            "This installation talks to a running Xunwen only; to start one here, install the"
            " extra: pip install 'xunwen[embedded]'."
        )
    from xunwen.embedded.settings import EmbeddedSettings

    return EmbeddedSettings()


def _address(settings: "EmbeddedSettings", _: str) -> None:
    print_json({"url": settings.gateway_url, "home": str(settings.home)})


def _welcome(settings: "EmbeddedSettings", last: str) -> None:
    url = settings.gateway_url
    ready = ("\nXunwen is ready:", "bold green")
    console.print(Text.assemble(ready, f" {url}   API: {url}/docs"))
    console.print("Try next:")
    console.print('  xunwen search "国有企业引入非国有资本对创新绩效的影响"')
    console.print(
        f"  curl -s {url}/v1/search -H 'content-type: application/json'"
        ' -d \'{"query": "中西方语言与文化的差异"}\'',
        soft_wrap=True,
    )
    console.print("  xunwen index your.csv --collection papers")
    if settings.asks_for_keys:
        console.print("Calls need an API key: `xunwen keys create NAME --scope admin` makes one.")
    console.print(f"Data and logs: {settings.home}. {last}", soft_wrap=True)


def _status_table(parts: "list[PartStatus]") -> Table:
    table = Table("part", "process", "pid", "up", "ready", "address", box=None)
    for part in parts:
        table.add_row(
            part.name,
            part.process.lower(),
            str(part.pid or ""),
            _duration(part.uptime_seconds) if part.pid else "",
            Text("yes", "green") if part.ready else Text.assemble(("no", "red"), f" {part.detail}"),
            part.address or "",
        )
    return table


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
