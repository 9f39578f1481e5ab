"""Reads the error that another service reported as problem+json."""

import re
from collections.abc import Iterator

import httpx

from services.common.errors import PROBLEM_TYPE, InvalidRequest, SearchError, Unavailable

_SECONDS = re.compile(r"[0-9]{1,9}")


def reported_error(response: httpx.Response) -> SearchError:
    """The error of a response whose status is 400 or more, as a class of our own tree.

    The class is found by the problem's `code`, else the nearest by status. A body that is no
    problem document is replaced by a sentence that names no detail of it.
    """
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = "", "A service behind this one failed."
    retry_after = response.headers.get("retry-after", "")
    seconds = float(retry_after) if _SECONDS.fullmatch(retry_after) else None
    status = response.status_code
    for cls in _tree(SearchError):
        if cls.code == code:
            return cls(detail, retry_after=seconds)
    for cls in _tree(SearchError):
        if cls.status == status:
            return cls(detail, retry_after=seconds)
    return InvalidRequest(detail) if status < 500 else Unavailable(detail)


def is_problem(response: httpx.Response) -> bool:
    """Whether the body is declared to be problem+json, as that of each error of a service is."""
    kind: str = response.headers.get("content-type", "")
    return kind.startswith(PROBLEM_TYPE)


def _tree(cls: type[SearchError]) -> Iterator[type[SearchError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)
