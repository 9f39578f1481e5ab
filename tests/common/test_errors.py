"""The error tree: its drawing is complete, and every class comes back from another service."""

import importlib
import pkgutil
from collections.abc import Iterator

import httpx
import pytest

import services
from services.common import errors
from services.common.calls.reported import reported_error
from services.common.errors import InvalidRequest, SearchError, Unavailable
from services.common.milvus.failures import (
    Missing,
    NoAnswerInTime,
    NotEntered,
    NotLoaded,
    NoWords,
)
from services.common.server.problem import problem_response
from services.gateway.search.cascade.cascade import IndexReplaced
from services.gateway.stores.redis_client import WrongType
from services.indexer.index.writer import OtherEncoders

INTERNAL = (
    *(Missing, NotEntered, NotLoaded, NoWords, NoAnswerInTime),
    *(IndexReplaced, OtherEncoders, WrongType),
)
"""Kinds of a failure that services alone tell apart; to clients they are their parents."""


def _subclasses(cls: type[SearchError]) -> Iterator[type[SearchError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _subclasses(child)


def _all() -> list[type[SearchError]]:
    """Every class of the tree that clients tell from others, wherever it is defined."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [
        cls
        for cls in _subclasses(SearchError)
        if not cls.__name__.startswith("_")
        and cls.__module__.startswith("services.")
        and cls not in INTERNAL
    ]


def test_the_drawing_is_the_tree() -> None:
    drawn: dict[str, tuple[str, int, str]] = {}
    above: list[str] = []
    assert errors.__doc__ is not None
    for line in errors.__doc__.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            depth = (len(line) - len(line.lstrip())) // 2
            del above[depth:]
            drawn[words[0]] = (above[-1] if above else "Exception", int(words[1]), words[2])
            above.append(words[0])
    assert drawn == {
        cls.__name__: (cls.__base__.__name__, cls.status, cls.code)  # type: ignore[union-attr]
        for cls in _all()
    }


@pytest.mark.parametrize("cls", INTERNAL, ids=lambda cls: cls.__name__)
def test_an_internal_kind_is_its_parent_to_a_client(cls: type[SearchError]) -> None:
    (parent,) = cls.__bases__
    assert parent in _all()
    for shown in ("status", "code", "title"):
        assert getattr(cls, shown) == getattr(parent, shown)


@pytest.mark.parametrize("cls", _all(), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(("seconds", "told"), [(None, "1"), (0.2, "1"), (1.4, "2"), (7.0, "7")])
def test_who_is_to_try_again_is_told_when(
    cls: type[SearchError], seconds: float | None, told: str
) -> None:
    """In whole seconds, none of which is too early."""
    headers = problem_response(cls("x", retry_after=seconds)).headers
    if seconds is not None or cls.status in (429, 503):
        assert headers["retry-after"] == told
    else:
        assert "retry-after" not in headers


def test_codes_are_unique_and_described() -> None:
    codes = [cls.code for cls in _all()]
    assert len(codes) == len(set(codes))
    assert all(cls.__doc__ and cls.__doc__ != SearchError.__doc__ for cls in _all()[1:])


@pytest.mark.parametrize("cls", list(_subclasses(SearchError)), ids=lambda cls: cls.__name__)
def test_what_a_service_reports_is_raised_as_the_same_class(cls: type[SearchError]) -> None:
    problem = {"code": cls.code, "detail": "why"}
    error = reported_error(httpx.Response(cls.status, json=problem, headers={"retry-after": "7"}))
    assert type(error).code == cls.code
    assert (error.detail, error.retry_after) == ("why", 7.0)


@pytest.mark.parametrize("said", ["²", "", "-1", "9" * 5_000, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_what_is_no_number_of_seconds_is_not_passed_on(said: str) -> None:
    """As a proxy may write it; a caller is told when to try again all the same."""
    answer = httpx.Response(503, headers=[(b"retry-after", said.encode("latin-1"))])
    assert problem_response(reported_error(answer)).headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (418, b"{}", InvalidRequest),
        (599, b'{"code": "new_code", "detail": "why"}', Unavailable),
        (503, b"<html>", Unavailable),
        (502, b'["detail"]', Unavailable),
        (422, b'{"code": "new_code", "detail": "why"}', InvalidRequest),
    ],
)
def test_what_is_no_known_problem_becomes_the_nearest_class(
    status: int, body: bytes, kind: type[SearchError]
) -> None:
    error = reported_error(httpx.Response(status, content=body))
    assert isinstance(error, kind)
    assert "<" not in error.detail
