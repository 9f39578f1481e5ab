"""How a refusal looks."""

import httpx


def refused(answer: httpx.Response, status: int) -> str:
    """The detail of a refusal, after its form was checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["request_id"]
    # The JavaScript client of OpenAI (4.104) reads `error` alone and says "no body" without it.
    told = {"message": problem["detail"], "code": problem["code"], "param": None}
    kind = "server_error" if status >= 500 else "invalid_request_error"
    assert problem["error"] == {**told, "type": kind}
    return str(problem["detail"])
