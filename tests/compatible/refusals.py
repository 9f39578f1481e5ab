"""How a refusal looks."""

import httpx


def refused(answer: httpx.Response, status: int) -> str:
    """The detail of a refusal, after its form was checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["request_id"]
    return str(problem["detail"])
