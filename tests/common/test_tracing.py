"""Traces through a real process, to a real collector."""

import signal

import httpx

from tests.collector import collector
from tests.common.running import small_service


def test_spans_have_the_right_parents() -> None:
    with collector() as traces, small_service(SMALL_TRACE_ENDPOINT=traces.url) as (_, url):
        assert httpx.get(f"{url}/outer").status_code == 200
        spans = traces.wait_for("GET /outer")
        assert traces.tree(spans).splitlines() == [
            "xunwen-small: GET /outer",
            "  xunwen-small: ask",
            "    xunwen-small: GET itself",
            "      xunwen-small: GET /slow",
            "  xunwen-small: GET itself",
            "    xunwen-small: GET unmatched",
        ]
        outer = next(span for span in spans if span.name == "GET /outer")
        assert outer.attributes["http.response.status_code"] == "200"
        assert not outer.failed


def test_a_callers_trace_goes_on_and_probes_are_not_traced() -> None:
    caller = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with collector() as traces, small_service(SMALL_TRACE_ENDPOINT=traces.url) as (process, url):
        httpx.get(f"{url}/livez", headers=caller)
        httpx.get(f"{url}/slow", headers=caller)
        process.send_signal(signal.SIGTERM)
        # What was not yet sent is sent at the end.
        assert process.wait(10) == 0
        (span,) = [span for span in traces.spans if span.scope == "xunwen"]
        assert (span.name, span.trace, span.parent) == ("GET /slow", "ab" * 16, "cd" * 8)


def test_sampling_follows_the_caller() -> None:
    undecided: dict[str, str] = {}
    no = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"}
    off = {"SMALL_TRACE_SAMPLE_RATIO": "0"}
    with (
        collector() as traces,
        small_service(SMALL_TRACE_ENDPOINT=traces.url, **off) as (process, url),
    ):
        httpx.get(f"{url}/slow", headers=undecided)
        httpx.get(f"{url}/slow", headers=no)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert traces.spans == []
