"""Counts, orders, groups and pages of a running system, beside what plain Python makes of it."""

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.engines.reference import holds
from tests.stack import Stack
from xunwen import Client

NAME = "shelf"
DISCIPLINES = ("数学", "物理学", "化学", "生物学")
WORDS = ("微分方程", "量子力学", "有机合成", "基因表达", "数值计算", "统计方法")


def papers() -> list[dict[str, Any]]:
    chance = random.Random(5)
    made = []
    for number in range(150):
        fields: dict[str, Any] = {
            "discipline": chance.choice(DISCIPLINES),
            "keywords": chance.sample(WORDS, chance.randrange(1, 4)),
        }
        if chance.random() < 0.9:
            fields["year"] = chance.randrange(1995, 2025)
        made.append(
            {"id": f"p{number:03d}", "title": f"{chance.choice(WORDS)}之{number}", **fields}
        )
    return made


PAPERS = papers()


def members(paper: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in paper.items() if name not in ("id", "title")}


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with Client(stack.url) as client, httpx.Client(base_url=stack.url, timeout=60) as http:
        job = client.index(PAPERS, collection=NAME)
        assert client.wait(job.id).counts.indexed == len(PAPERS)
        yield http
        client.delete_collection(NAME)


def search(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/search", json={"collection": NAME, "budget_ms": 30_000, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def values(facet: dict[str, Any]) -> dict[Any, int]:
    return {one["value"]: one["count"] for one in facet["values"]}


def test_without_a_query_counts_are_exact_and_the_order_is_stable(http: httpx.Client) -> None:
    condition = {"discipline": {"any": ["数学", "化学"]}, "year": {"gte": 2000}}
    answer = search(
        http,
        filter=condition,
        facets=["keywords", {"field": "year", "top": 3, "edges": [2005, 2015]}],
        sort=["-year", "discipline"],
        top_k=100,
    )
    expected = [paper for paper in PAPERS if holds(condition, members(paper))]
    expected.sort(key=lambda paper: (-paper["year"], paper["discipline"], paper["id"]))
    assert [hit["id"] for hit in answer["hits"]] == [paper["id"] for paper in expected][:100]
    assert (answer["total"], answer["counted"]) == (len(expected), "exact")
    counted = Counter(word for paper in expected for word in paper["keywords"])
    assert values(answer["facets"]["keywords"]) == counted
    year = answer["facets"]["year"]
    years = [paper["year"] for paper in expected]
    assert (year["low"], year["high"]) == (min(years), max(years))
    assert year["other"] == len(years) - sum(values(year).values())
    assert [one["count"] for one in year["ranges"]] == [
        sum(one < 2005 for one in years),
        sum(2005 <= one < 2015 for one in years),
        sum(one >= 2015 for one in years),
    ]


def test_a_query_is_counted_over_what_was_recalled(http: httpx.Client) -> None:
    plain = search(http, query="量子力学", top_k=5, filter={"discipline": "物理学"})
    answer = search(
        http, query="量子力学", top_k=5, filter={"discipline": "物理学"}, facets=["discipline"]
    )
    assert answer["hits"] == plain["hits"], "counting changes no hit"
    assert answer["counted"] == "recalled"
    found = sum(paper["discipline"] == "物理学" for paper in PAPERS)
    assert answer["total"] == plain["total"] == found
    assert values(answer["facets"]["discipline"]) == {"物理学": found}
    every = search(http, query="量子力学", filter={"discipline": "物理学"}, facets=["*"])["facets"]
    assert set(every) == {"discipline", "keywords", "year"}
    assert {stage["name"] for stage in answer["stages"]} >= {"facets", "rank"}


def test_a_query_is_sorted_by_fields_and_ties_by_relevance(http: httpx.Client) -> None:
    asked = {"query": "基因表达", "mode": "dense", "recall_k": 60, "top_k": 60}
    best = search(http, rank=False, **asked)["hits"]
    place = {hit["id"]: at for at, hit in enumerate(best)}
    answer = search(http, sort=["-year"], **asked)
    keys = [(-hit["fields"].get("year", 0), place[hit["id"]]) for hit in answer["hits"]]
    assert keys == sorted(keys)
    assert len(keys) == answer["total"] == 60


def test_groups_are_led_by_their_best_hit(http: httpx.Client) -> None:
    best = search(http, query="数值计算", top_k=100)["hits"]
    answer = search(http, query="数值计算", group_by="discipline", top_k=10)
    assert answer["groups"] == len(DISCIPLINES)
    firsts: dict[str, str] = {}
    for hit in best:
        firsts.setdefault(hit["fields"]["discipline"], hit["id"])
    assert {hit["group"]["value"]: hit["id"] for hit in answer["hits"]} == firsts
    counted = Counter(paper["discipline"] for paper in PAPERS)
    assert {hit["group"]["value"]: hit["group"]["count"] for hit in answer["hits"]} == counted


def test_hits_below_the_least_score_are_left_out_everywhere(http: httpx.Client) -> None:
    best = search(http, query="有机合成", top_k=100)["hits"]
    least = best[10]["score"]
    answer = search(http, query="有机合成", min_score=least, facets=["discipline"], top_k=100)
    kept = [hit for hit in best if hit["score"] >= least]
    assert [hit["id"] for hit in answer["hits"]] == [hit["id"] for hit in kept]
    assert (answer["total"], answer["counted"]) == (len(kept), "ranked")
    assert values(answer["facets"]["discipline"]) == Counter(
        hit["fields"]["discipline"] for hit in kept
    )


def walked(http: httpx.Client, **body: Any) -> Iterator[list[str]]:
    """The ids of each page."""
    cursor: str | None = "*"
    while cursor:
        answer = search(http, cursor=cursor, **body)
        yield [hit["id"] for hit in answer["hits"]]
        cursor = answer["next_cursor"]


def test_bad_requests_say_what_to_write_instead(http: httpx.Client) -> None:
    for body, words in (
        ({"query": "水", "sort": ["title"]}, "sort by a field"),
        ({"query": "水", "sort": ["yaer"]}, "its fields: discipline, keywords, year"),
        ({"query": "水", "facets": ["yaer"]}, "its fields: discipline, keywords, year"),
        ({"query": "水", "group_by": "yaer"}, "its fields: discipline, keywords, year"),
        ({"query": "水", "facets": [{"field": "year", "edges": [2, 1]}]}, "larger than the one"),
        ({"top_k": 3}, "give a `filter`"),
        ({"filter": {"year": 2000}, "min_score": 0.5}, "no score"),
        (
            {"query": "水", "boosts": [{"field": "yaer", "recency": "5y"}]},
            "its fields: discipline, keywords, year",
        ),
        ({"query": "水", "boosts": [{"field": "year"}]}, "`recency` (such as"),
        ({"query": "水", "boosts": [{"field": "year", "recency": "5"}]}, "such as 90d or 5y"),
        ({"query": "水", "boosts": [{"field": "year", "recency": "5y"}] * 11}, "boosts"),
        (
            {"filter": {"year": 2000}, "boosts": [{"field": "year", "recency": "5y"}]},
            "put them in order with `sort`",
        ),
        ({"query": "水", "cursor": "next"}, "the `next_cursor` of the page before"),
        ({"query": " \u3000"}, "write at least one character"),
    ):
        answer = http.post("/v1/search", json={"collection": NAME, **body})
        assert answer.status_code == 422, answer.text
        assert words in answer.json()["detail"], answer.json()["detail"]
    gone = http.post(
        "/v1/search", json={"collection": NAME, "query": "水", "cursor": "x" * 16 + ".5"}
    )
    assert (gone.status_code, gone.json()["code"]) == (404, "cursor_expired")
    cursor = search(http, query="水稻", cursor="*", top_k=5)["next_cursor"]
    other = http.post("/v1/search", json={"collection": NAME, "query": "水", "cursor": cursor})
    assert (other.status_code, other.json()["code"]) == (422, "invalid_request")


RAISED = {"field": "discipline", "values": {"化学": 50.0}}
NOISE = 0.3
"""Log-odds by which a pair's relevance differs when the int8 ranker reads it beside another one."""


def log_odds(hit: dict[str, Any]) -> float:
    return math.log(hit["score"] / (1 - hit["score"]))


@pytest.mark.parametrize("rank", [True, False])
def test_a_boost_raises_what_it_concerns(http: httpx.Client, rank: bool) -> None:
    asked = {"query": "数值计算", "rank": rank, "top_k": 100}
    plain = {hit["id"]: hit for hit in search(http, **asked)["hits"]}
    raised = search(http, boosts=[RAISED], **asked)
    assert raised["degraded"] == []
    assert "boosts" in {stage["name"] for stage in raised["stages"]}
    found = [hit["score"] for hit in raised["hits"]]
    assert found == sorted(found, reverse=True)
    compared = Counter[bool]()
    for hit in raised["hits"]:
        concerned = hit["fields"]["discipline"] == "化学"
        assert hit["scores"].get("boost") == (50.0 if concerned else None)
        before = plain.get(hit["id"])
        # The order decides which candidates the fine phase reads.
        if before is None or "fine" in hit["scores"].keys() ^ before["scores"].keys():
            continue
        compared[concerned] += 1
        if rank:
            gained = log_odds(hit) - log_odds(before)
            assert gained == pytest.approx(math.log(50) if concerned else 0.0, abs=NOISE)
        elif concerned:
            assert hit["score"] > before["score"]
        else:
            assert hit["score"] == pytest.approx(before["score"], abs=1e-3)
    assert min(compared[True], compared[False]) > 0
    places = [hit["fields"]["discipline"] == "化学" for hit in raised["hits"][:10]]
    usual = [hit["fields"]["discipline"] == "化学" for hit in [*plain.values()][:10]]
    assert sum(places) > sum(usual)


def test_newer_papers_are_raised_and_those_without_a_year_stay(http: httpx.Client) -> None:
    asked = {"query": "量子力学", "rank": False, "top_k": 100}
    boosts = [{"field": "year", "recency": "2y", "factor": 100.0}]
    plain = {hit["id"]: hit["score"] for hit in search(http, **asked)["hits"]}
    hits = search(http, boosts=boosts, **asked)["hits"]
    years = {hit["id"]: hit["fields"].get("year") for hit in hits}
    factors = {hit["id"]: hit["scores"].get("boost", 1.0) for hit in hits}
    dated = sorted((year, factors[one]) for one, year in years.items() if year)
    assert [factor for _, factor in dated] == sorted(factor for _, factor in dated)
    assert dated[-1][1] > 5
    for one, year in years.items():
        if year is None and one in plain:
            assert factors[one] == 1.0
            assert plain[one] == next(hit["score"] for hit in hits if hit["id"] == one)


def test_boosts_of_any_spelling_are_one_search(http: httpx.Client) -> None:
    first = {"field": "year", "recency": "5y"}
    body = {"query": "有机合成与数值", "top_k": 20}
    answer = search(http, boosts=[first, RAISED], explain=True, **body)
    assert "feature_order" in answer["hits"][0]["scores"]
    again = search(http, boosts=[RAISED, first | {"factor": 2.0}], explain=True, **body)
    assert (again["cached"], again["hits"]) == (True, answer["hits"])
    asked: dict[str, Any] = {"collection": NAME, "q": body["query"], "top_k": 20, "explain": True}
    by_url = http.get("/v1/search", params=asked | {"boosts": json.dumps([first, RAISED])}).json()
    assert (by_url["cached"], by_url["hits"]) == (True, answer["hits"])
    paged = [one for page in walked(http, boosts=[first, RAISED], **body) for one in page]
    assert paged[:20] == [hit["id"] for hit in answer["hits"]]
    assert len(paged) == len(set(paged)) == len(PAPERS)


def test_operators_are_shown_as_they_were_understood_and_are_the_same_as_json(
    http: httpx.Client,
) -> None:
    written = 'discipline:数学|化学 year:2000..2010 "量子力学" -统计方法'
    answer = search(http, query=written, syntax="fields", top_k=100)
    meant = answer["understood"]
    assert meant == {
        "query": "量子力学",
        "filter": {
            "and": [
                {"discipline": {"any": ["数学", "化学"]}},
                {
                    "or": [
                        {"year": {"gte": 2000, "lte": 2010}},
                        {"year": {"gte": "2000", "lt": "2011"}},
                    ]
                },
            ]
        },
        "phrases": ["量子力学"],
        "exclude": ["统计方法"],
    }
    expected = {
        paper["id"]
        for paper in PAPERS
        if paper["discipline"] in ("数学", "化学")
        and 2000 <= paper.get("year", 0) <= 2010
        and "量子力学" in paper["title"]
    }
    assert {hit["id"] for hit in answer["hits"]} == expected
    assert answer["total"] == len(expected)
    again = search(http, top_k=100, **meant)
    assert (again["hits"], again["understood"]) == (answer["hits"], meant)
    favoured = search(http, query="量子力学 学科:化学^50", syntax="fields", top_k=100)
    assert favoured["understood"]["boosts"] == [RAISED]
    assert favoured["hits"] == search(http, query="量子力学", boosts=[RAISED], top_k=100)["hits"]
    listed = search(http, query="year:2000..2010 -discipline:数学", syntax="fields", top_k=100)
    assert (listed["counted"], listed["understood"]["query"]) == ("exact", None)
    assert {hit["id"] for hit in listed["hits"]} == {
        paper["id"]
        for paper in PAPERS
        if paper["discipline"] != "数学" and 2000 <= paper.get("year", 0) <= 2010
    }
    plain = search(http, query="year:2000 量子力学", top_k=1)
    assert (plain["query"], "understood" in plain) == ("year:2000 量子力学", False)
    refused = http.post(
        "/v1/search", json={"collection": NAME, "query": "yaer:2015", "syntax": "fields"}
    )
    assert refused.status_code == 422
    assert "did you mean `year`" in refused.json()["detail"]


def test_the_same_by_url(http: httpx.Client) -> None:
    body = {"filter": {"discipline": "数学"}, "facets": ["year"], "sort": ["-year"], "cursor": "*"}
    asked = {"filter": '{"discipline": "数学"}', "facets": "year", "sort": "-year", "cursor": "*"}
    by_url = http.get("/v1/search", params={"collection": NAME, **asked}).json()
    posted = search(http, **body)
    for member in ("hits", "total", "facets", "counted"):
        assert by_url[member] == posted[member]


ANY_NAMES = (
    "年份",
    "价格（元）",
    "first author",
    "作者·单位",
    "学科.一级",
    "数量：合计",
    "год",
    "a=b",
)


@pytest.fixture(scope="module")
def any_names(http: httpx.Client) -> Iterator[str]:
    name = "shelf_of_names"
    for number in range(4):
        fields = {each: number * (place + 1) for place, each in enumerate(ANY_NAMES)}
        document = {"title": f"第{number}卷", "fields": fields}
        http.put(f"/v1/collections/{name}/documents/{number}", json=document).raise_for_status()
    yield name
    http.delete(f"/v1/collections/{name}")


@pytest.mark.parametrize("name", ANY_NAMES)
def test_fields_of_any_name_are_counted_ordered_and_shown(
    http: httpx.Client, any_names: str, name: str
) -> None:
    step = ANY_NAMES.index(name) + 1
    body = {
        "collection": any_names, "filter": {name: {"gte": step}}, "facets": [name],
        "sort": [f"-{name}"], "fields": [name],
    }  # fmt: skip
    answer = search(http, **body)
    assert [hit["fields"] for hit in answer["hits"]] == [{name: step * n} for n in (3, 2, 1)]
    assert values(answer["facets"][name]) == {step: 1, 2 * step: 1, 3 * step: 1}
    by_url = http.get(
        "/v1/search",
        params={
            "collection": any_names, "filter": json.dumps(body["filter"]), "facets": name,
            "sort": f"-{name}", "fields": name,
        },
    ).json()  # fmt: skip
    assert by_url["hits"] == answer["hits"]
    assert by_url["facets"] == answer["facets"]
    grouped = search(http, collection=any_names, filter={name: step}, group_by=name)
    assert [hit["group"] for hit in grouped["hits"]] == [{"value": step, "count": 1}]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("欧阳子墨", "authors"),
        ("欧阳子墨 统计方法", "authors"),
        ("10.1016/j.zz.2019.134523", "doi"),
        ("https://doi.org/10.1016/j.zz.2019.134523", "doi"),
        ("ISSN 0048-9697", "issn"),
    ],
)
def test_what_only_the_metadata_hold_is_found_first(
    http: httpx.Client, query: str, first: str
) -> None:
    fields = {"authors": ["欧阳子墨"], "doi": "10.1016/j.zz.2019.134523", "issn": "0048-9697"}
    for name, value in fields.items():
        body = {"title": "统计方法与数值计算", "text": f"{name} 一。", "fields": {name: value}}
        http.put(f"/v1/collections/{NAME}/documents/{name}", json=body).raise_for_status()
    try:
        for rank in (True, False):
            assert search(http, query=query, top_k=1, rank=rank)["hits"][0]["id"] == first
    finally:
        for name in fields:
            http.delete(f"/v1/collections/{NAME}/documents/{name}")
