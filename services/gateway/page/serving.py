"""The web page at `/` and the description of the API at `/docs`: static files beside the code, no
build step, nothing from other hosts."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
        " object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # The page's addresses hold queries.
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # Browsers ask again each time, so an update shows at once.
}


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def add_web_page(app: FastAPI) -> None:
    """Serves each entry of the folder by its name, so that no other path is taken.

    The paths are open to callers without a key, so `access/rights.py` lists them.
    """
    entries = sorted(entry for entry in FOLDER.iterdir() if not entry.name.startswith("."))
    app.router.routes.append(_file("/", FOLDER / "index.html"))
    app.router.routes.append(_file("/docs", FOLDER / "docs.html"))
    for entry in entries:
        if entry.is_dir():
            app.router.routes.append(Mount(f"/{entry.name}", _Files(directory=entry)))
        else:
            app.router.routes.append(_file(f"/{entry.name}", entry))


def _file(path: str, file: Path) -> Route:
    async def serve(_request: Request) -> FileResponse:
        return FileResponse(file, headers=HEADERS)

    return Route(path, serve, methods=["GET"], include_in_schema=False)
