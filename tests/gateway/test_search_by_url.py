"""The parameters of GET /v1/search: every option of POST, spelled as text."""

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI, Query
from httpx import ASGITransport, AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.documents import STORED_ID_PATTERN, Document
from services.common.errors import InvalidRequest
from services.common.patterns import what_to_write
from services.common.server.problem import install_problem_handlers
from services.common.text.normalise import normalise as normal_form
from services.common.wire.parameters import CONDITIONS
from services.common.wire.recall import MAX_PHRASES, MAX_QUERY_CHARS, RecallRequest
from services.gateway.app import create_app
from services.gateway.search.query.request import normalise, search_of
from services.gateway.search.query.schemas import SearchByUrl, SearchOptions
from services.gateway.settings import GatewaySettings


def application() -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/search")
    async def search(parameters: Annotated[SearchByUrl, Query()]) -> dict[str, Any]:
        return parameters.model_dump(mode="json")

    return app


async def read(parameters: str) -> tuple[int, dict[str, Any]]:
    async with AsyncClient(transport=ASGITransport(application()), base_url="http://t") as client:
        answer = await client.get(f"/search?{parameters}")
    return answer.status_code, answer.json()


async def test_every_option_of_the_body_is_a_parameter() -> None:
    condition = quote('{"year": {"gte": 2015}}')
    boosts = quote('[{"field": "year", "recency": "5y"}]')
    status, options = await read(
        "q=2015&collection=notes&top_k=3&recall_k=50&mode=dense&rank=false&explain=1"
        f"&diversity=0.5&budget_ms=50&fields=title,year&filter={condition}"
        "&facets=year,discipline&sort=-year,relevance&group_by=journal&min_score=0.5&cursor=*"
        f"&syntax=fields&phrases={quote('水稻 病害,冻土')}&exclude={quote('综述')}"
        f"&boosts={boosts}&partition={quote('甲')}"
    )
    assert status == 200, options
    assert options == {
        "q": "2015", "collection": "notes", "top_k": 3, "recall_k": 50, "mode": "dense",
        "rank": False, "explain": True, "diversity": 0.5, "budget_ms": 50,
        "fields": ["title", "year"], "filter": {"year": {"gte": 2015}}, "partition": "甲",
        "facets": [{"field": name, "top": 10, "edges": []} for name in ("year", "discipline")],
        "sort": ["-year", "relevance"], "group_by": "journal", "min_score": 0.5, "cursor": "*",
        "syntax": "fields", "phrases": ["水稻 病害", "冻土"], "exclude": ["综述"],
        "boosts": [
            {"field": "year", "recency": "5y", "halfway": None, "values": None, "factor": 2.0}
        ],
    }  # fmt: skip
    assert set(options) - {"q"} == set(SearchOptions.model_fields)
    assert (await read("q=a"))[1] == {"q": "a", **SearchOptions().model_dump(mode="json")}


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        ("top_k=x", "top_k"),
        ("top_k=3.5", "top_k"),
        ("top_k=0", "top_k"),
        ("rank=maybe", "rank"),
        ("diversity=nan", "diversity"),
        ("diversity=2", "diversity"),
        ("filter=year", "filter"),
        (f"filter={'[' * 20_000}", "filter"),
        (f"boosts={'[' * 20_000}", "boosts"),
        ("filter=3", "filter"),
        ("fields=*x", "fields"),
        ("boosts=year", "boosts"),
        ("boosts=[3]", "boosts.0"),
        ("topk=5", "topk"),
        ("mode=both", "mode"),
    ],
)
async def test_what_cannot_be_read_is_named(parameter: str, field: str) -> None:
    status, problem = await read(f"q=a&{parameter}")
    assert status == 422
    assert field in problem["errors"][0]["field"]


@pytest.mark.parametrize("edge", [2**63, -(2**63) - 1, 10**30])
def test_a_bound_beyond_64_bits_is_one_of_decimals(edge: int) -> None:
    facets = [{"field": "year", "edges": [edge]}]
    arrangement = search_of("a", SearchOptions.model_validate({"facets": facets})).arrangement
    assert arrangement is not None
    assert arrangement.facets[0]["edges"] == [float(edge)]


@pytest.mark.parametrize("query", ["\u200b", "　\u00ad ", "\ufeff\u2060"])
def test_a_query_of_invisible_characters_is_refused(query: str) -> None:
    with pytest.raises(InvalidRequest, match="no character to search for"):
        normalise(query)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (" ＡＢＣ　检索\n模型 ", "ABC 检索 模型"),
        ("1×10⁶ 个细胞", "1×10⁶ 个细胞"),
        ("10³", "10³"),
        ("10⁻³ mol", "10⁻³ mol"),
        ("m² 与 ＣＯ₂", "m2 与 CO2"),
        ("i＜b＞a", "i＜b＞a"),
        ("R＆amp;D", "R＆amp;D"),
        ("㍿" * 600, "㍿" * 600),
        ("ﷺ" * MAX_QUERY_CHARS, "ﷺ" * MAX_QUERY_CHARS),
        ("doi:10.1000/182", "10.1000/182"),
        (" DOI： 10.1000/J.182 ", "10.1000/J.182"),
        ("https://doi.org/10.1000/182", "10.1000/182"),
        ("dx.doi.org/10.1000/182", "10.1000/182"),
        ("doi:10.1000/182 的综述", "doi:10.1000/182 的综述"),
        ("https://example.org/10.1000/182", "https://example.org/10.1000/182"),
    ],
    ids=lambda text: text[:9],
)
def test_a_query_keeps_its_meaning_and_fits(typed: str, asked: str) -> None:
    assert normalise(typed) == asked


_PIECES = st.sampled_from(
    ["10", "⁶", "⁻³", "²", "＜", "＞", "<", ">", "sub", "ｂ", "＆", "&", "amp", ";", "；", "#",
     "＃", "65", "微積分", "Ａ", "ﬁ", "e", "\u0301", " ", "\u3000", "\u200b", "½", "㎏", "–", "ﷺ"]
)  # fmt: skip


@given(st.lists(_PIECES, min_size=1, max_size=12).map("".join))
@settings(deadline=None)
def test_the_form_of_a_query_changes_nothing_that_the_models_and_the_index_read(typed: str) -> None:
    if normal_form(typed):
        assert normal_form(normalise(typed)) == normal_form(typed)


def test_phrases_alone_are_a_query_that_recall_takes() -> None:
    options = SearchOptions(phrases=["控制" * 100] * MAX_PHRASES)
    search = search_of(None, options)
    RecallRequest(query=search.query, collection="notes")
    assert search.wording is not None
    assert search.wording.phrases == ["控制" * 100]


@pytest.mark.parametrize("nothing", ["\u200b", "<p>", "<sub></sub>", "&shy;", "\ufeff\u2060"])
@pytest.mark.parametrize(
    ("query", "options", "field"),
    [
        ("水稻", {"exclude": ["综述", "{}"]}, "exclude"),
        ("水稻", {"phrases": ["{}"]}, "phrases"),
        (None, {"phrases": ["{}"]}, "phrases"),
        ('水稻 -"{}"', {"syntax": "fields"}, "exclude"),
        ('水稻 "{}"', {"syntax": "fields"}, "phrases"),
    ],
)
def test_a_phrase_of_invisible_characters_is_refused(
    nothing: str, query: str | None, options: dict[str, Any], field: str
) -> None:
    filled = {
        name: [one.format(nothing) for one in value] if isinstance(value, list) else value
        for name, value in options.items()
    }
    asked = query and query.format(nothing)
    with pytest.raises(InvalidRequest, match=f"^{field}: .*no character to search for"):
        search_of(asked, SearchOptions.model_validate(filled))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (" ".join(f'"词{n}"' for n in range(MAX_PHRASES + 1)), "^phrases: at most 20"),
        ("水稻 " + " ".join(f"-词{n}" for n in range(MAX_PHRASES + 1)), "^exclude: at most 20"),
        (f'"{"水稻" * 101}"', "^phrases: .*has 202 characters, at most 200"),
        (f'水稻 -"{"病" * 201}"', "^exclude: .*has 201 characters"),
        ("水稻 -" + "病" * 201, "^exclude: .*has 201 characters"),
    ],
    ids=lambda text: text[:9],
)
def test_phrases_of_a_query_have_the_bounds_of_those_beside_it(query: str, message: str) -> None:
    """Recall refuses others, with words that no one wrote."""
    with pytest.raises(InvalidRequest, match=message):
        search_of(query, SearchOptions(syntax="fields"))


def test_a_phrase_that_is_written_twice_counts_once() -> None:
    query = " ".join([f'"词{n}"' for n in range(MAX_PHRASES)] * 2)
    search = search_of(query, SearchOptions(syntax="fields", phrases=["词0"]))
    assert search.wording is not None
    assert len(search.wording.phrases) == MAX_PHRASES


CHECKED_BY_OURSELVES = {
    STORED_ID_PATTERN,
    Document.model_json_schema()["properties"]["id"]["anyOf"][0]["pattern"],
}
"""Patterns of ids: `check_id` says itself what is wrong with one."""


def patterns(described: Any) -> Iterator[str]:
    """The patterns in a description, at any depth."""
    if isinstance(described, dict):
        if isinstance(pattern := described.get("pattern"), str):
            yield pattern
        described = list(described.values())
    if isinstance(described, list):
        for part in described:
            yield from patterns(part)


def test_no_message_shows_a_pattern_to_people() -> None:
    described = set(patterns(create_app(GatewaySettings()).openapi()))
    unexplained = {one for one in described - CHECKED_BY_OURSELVES if what_to_write(one) is None}
    assert not unexplained
    assert len(described) > 8


def test_the_description_of_the_api_says_what_a_filter_takes() -> None:
    described = create_app(GatewaySettings()).openapi()
    found = {
        name: schema["properties"]["filter"].get("description")
        for name, schema in described["components"]["schemas"].items()
        if "filter" in schema.get("properties", {}) and name != "Understood"  # a part of answers
    }
    found |= {
        f"{method} {path}": parameter.get("description")
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "filter"
    }
    assert {"SearchRequest", "DeleteRequest", "get /v1/search"} <= found.keys()
    assert "the bounds of a range are all numbers or all strings" in CONDITIONS
    assert set(found.values()) == {CONDITIONS}


@pytest.mark.parametrize(
    ("query", "phrases", "searched"),
    [
        ("深度学习", ["冻土路基"], "深度学习 冻土路基"),
        ("冻土路基的变形", ["冻土路基", "變形"], "冻土路基的变形"),
        ("降雨 RAIN", ["AI", "rain"], "降雨 RAIN AI"),
        (None, ["冻土", "路基", "冻土"], "冻土 路基"),
        ("水稻", ["水稻 病害"], "水稻 水稻 病害"),
        ("水" * 1_990, ["冻" * 20, "土" * 9], "水" * 1_990 + " " + "土" * 9),
        (None, [f"{n}" + "冻" * 198 for n in range(9)] + ["路基" * 100] * 4, None),
    ],
)
def test_words_of_a_phrase_are_searched_for(
    query: str | None, phrases: list[str], searched: str | None
) -> None:
    found = search_of(query, SearchOptions(phrases=phrases))
    assert searched is None or found.query == searched
    assert len(found.query) <= MAX_QUERY_CHARS
    assert found.wording is not None
    assert set(found.wording.phrases) == set(phrases)
    again = search_of(found.query, SearchOptions(phrases=list(found.wording.phrases)))
    assert again == found


def test_operators_and_members_are_one_search() -> None:
    written = search_of('深度学习 "冻土路基" "Li Xiaoming"', SearchOptions(syntax="fields"))
    assert written.wording is not None
    again = search_of(written.query, SearchOptions(phrases=list(written.wording.phrases)))
    assert again.canonical == written.canonical
