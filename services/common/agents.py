"""The tools of agents (Model Context Protocol), each a call of the REST API.

The gateway serves them at /mcp and `xunwen mcp` on standard input and output; both give the calls
to the same routes, so that keys, rights, limits and errors are those of the API.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Protocol
from urllib.parse import quote

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field, ValidationError

from services.common.citations.forms import CitationForm
from services.common.validation import first_reason
from services.common.wire.recall import Mode

_PASSAGE_CHARS = 400
_INSTRUCTIONS = (
    "Xunwen finds documents, scientific literature first, by meaning and by words, in Chinese and"
    " English. Use `collections` to see what there is and `fields` for what a filter can name;"
    " `search` in the language of the question, then `get` to read a document before you rely on"
    " it, and name its id where you cite it. `cite` writes references."
)
FOREIGN = "The server does not answer as Xunwen does; check the address."
"""What a tool tells if another program answers its call."""


class ApiRefused(Exception):
    """The API refused a call or could not carry it out; the message says why and what to do."""


class Api(Protocol):
    """The REST API, on behalf of one caller."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer of a call as JSON, or as text if it is not JSON. Raises ApiRefused."""


Collection = Annotated[str, Field(description="Name of the collection")]
Filter = Annotated[
    dict[str, Any] | None,
    Field(
        description='Conditions on metadata, as {"year": {"gte": 2015}, "discipline": "数学"};'
        " operators: ne, gt, gte, lt, lte, any, all, and, or, not"
    ),
]
TopK = Annotated[int, Field(ge=1, le=100, description="Number of documents")]
Id = Annotated[str, Field(description="Id of the document, as search gives it")]


class _Tools:
    """The tools; the docstring of each is what an agent reads."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def search(
        self,
        query: Annotated[str, Field(description="A question, a title or keywords")],
        collection: Collection = "literature",
        top_k: TopK = 10,
        filter: Filter = None,  # noqa: A002 - the name in the API
        mode: Annotated[Mode, Field(description="hybrid, dense or lexical")] = Mode.HYBRID,
    ) -> dict[str, Any]:
        """Search documents by meaning and by words; the best passages with ids to follow."""
        body = {"query": query, "collection": collection, "top_k": top_k, "mode": mode.value}
        answer = await self._read("POST", "/v1/search", json={**body, **_given(filter=filter)})
        return {
            "hits": [_hit(hit, collection) for hit in answer["hits"]],
            "degraded": answer["degraded"],
        }

    async def get(self, id: Id, collection: Collection = "literature") -> dict[str, Any]:  # noqa: A002
        """Read a whole document: title, text and metadata."""
        return await self._read("GET", _path(collection, id))

    async def similar(
        self,
        id: Id,  # noqa: A002
        collection: Collection = "literature",
        top_k: TopK = 10,
        filter: Filter = None,  # noqa: A002
    ) -> dict[str, Any]:
        """Find the documents whose meaning is nearest to that of a document."""
        body = {"id": id, "collection": collection, "top_k": top_k}
        answer = await self._read("POST", "/v1/similar", json={**body, **_given(filter=filter)})
        return {"hits": [_hit(hit, collection) for hit in answer["hits"]]}

    async def collections(self) -> dict[str, Any]:
        """List the collections with their numbers of documents."""
        answer = await self._read("GET", "/v1/collections")
        listed = [{name: one[name] for name in ("name", "count")} for one in answer["collections"]]
        return {"collections": listed}

    async def fields(self, collection: Collection = "literature") -> dict[str, Any]:
        """Show the metadata that filters can name: kinds, ranges and most frequent values."""
        return await self._read("GET", f"/v1/collections/{_segment(collection)}/statistics")

    async def cite(
        self,
        ids: Annotated[list[str], Field(min_length=1, max_length=100)],
        collection: Collection = "literature",
        form: Annotated[
            CitationForm, Field(description="ris, bibtex or gbt7714 (GB/T 7714-2015 text)")
        ] = CitationForm.GBT7714,
    ) -> str:
        """Write documents as references."""
        body = {"ids": ids, "collection": collection, "form": form.value}
        references = await self._call("POST", "/v1/citations", json=body)
        if not isinstance(references, str):
            raise ToolError(FOREIGN)
        return references

    async def index(
        self,
        documents: Annotated[
            list[dict[str, Any]],
            Field(
                min_length=1,
                max_length=1_000,
                description="Each with id, title or text, and metadata of any name",
            ),
        ],
        collection: Collection,
    ) -> dict[str, Any]:
        """Add or replace documents; follow the job with `job`. Needs a key that may index."""
        return await self._read(
            "POST",
            "/v1/index-jobs",
            json={"documents": documents},
            params={"collection": collection},
        )

    async def job(
        self,
        id: Annotated[str, Field(description="Id of the job, as index gives it")],  # noqa: A002
    ) -> dict[str, Any]:
        """Show how far an indexing job is."""
        return await self._read("GET", f"/v1/index-jobs/{_segment(id)}")

    async def _read(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """The answer of a call that is a JSON object. Raises ToolError."""
        answer = await self._call(method, path, **more)
        if not isinstance(answer, dict):
            raise ToolError(FOREIGN)
        return answer

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            return await self._api.call(method, path, **more)
        except ApiRefused as error:
            raise ToolError(str(error)) from error


class _Tool(Tool):
    """A tool that tells what is wrong with a call in the words of the API, and refuses arguments
    that it does not have: a filter under another name would be left out without a word."""

    async def run(self, arguments: dict[str, Any], *more: Any, **options: Any) -> Any:
        """The result of the tool. Raises ToolError."""
        names = self.parameters["properties"]
        for name in arguments:
            if name not in names:
                has = f"has: {', '.join(names)}" if names else "has none"
                raise ToolError(f"{name[:80]}: there is no such argument; the tool {has}.")
        try:
            return await super().run(arguments, *more, **options)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            cause = error.__cause__ or error
            says = first_reason(cause) if isinstance(cause, ValidationError) else str(cause)
            raise ToolError(says) from cause


_WRITING = ("index",)


def agent_server(api: Api) -> MCPServer[Any]:
    """A server of the tools; every call goes to `api`."""
    own = _Tools(api)
    tools: list[Tool] = []
    for name in ("search", "get", "similar", "collections", "fields", "cite", "index", "job"):
        marks = ToolAnnotations(read_only_hint=name not in _WRITING, open_world_hint=False)
        tool = _Tool.from_function(getattr(own, name), name=name, annotations=marks)
        tool.parameters["additionalProperties"] = False
        tools.append(tool)
    return MCPServer(
        "xunwen",
        title="Xunwen",
        instructions=_INSTRUCTIONS,
        version=version("xunwen"),
        tools=tools,
        log_level="WARNING",
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _path(collection: str, identity: str) -> str:
    return f"/v1/collections/{_segment(collection)}/documents/{_segment(identity)}"


def _segment(name: str) -> str:
    """A name as a part of an address. Dots are encoded too: a client of HTTP would take `..` out
    of an address."""
    return quote(name, safe="").replace(".", "%2E")


def _hit(hit: Mapping[str, Any], collection: str) -> dict[str, Any]:
    """A hit with its best passage, its place in a long document, and the path of the whole
    document."""
    marked = " … ".join(hit["highlights"].get("text", []))
    passage = marked.replace("<em>", "").replace("</em>", "") or (hit["text"] or "")
    place = hit.get("passage") or {}
    return {
        "id": hit["id"],
        "title": hit["title"],
        "passage": passage[:_PASSAGE_CHARS],
        **{name: place[name] for name in ("page", "section") if place.get(name)},
        "score": hit["score"],
        "fields": hit["fields"],
        "document": _path(collection, hit["id"]),
    }
