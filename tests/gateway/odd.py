"""Requests as hypothesis draws them: odd ids, encodings and values for each call of the API."""

import json
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st

from tests.gateway.fuzzing import OPERATIONS
from tests.ids import NASTY, REFUSED


@dataclass(frozen=True)
class OddRequest:
    """A request in the bytes that are sent."""

    method: str
    target: bytes
    content_type: str
    body: bytes


_ESCAPED = ["%00", "%0A", "%FF", "%B6%B3%CD%C1", "%ED%A0%80", "%C3", "%", "%zz", "%2E%2E", "%2F"]
_WORDS = [quote(word, safe="", errors="replace") for word in (*NASTY, *REFUSED) if len(word) < 60]
_NAMES = ["fuzz_odd", "nowhere", "literature", "Ä", "a" * 200]

segments = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_ESCAPED),
    st.sampled_from([quote(name, safe="") for name in _NAMES]),
    st.binary(min_size=1, max_size=8).map(lambda raw: quote(raw, safe="")),
    st.text(min_size=1, max_size=8).map(lambda text: quote(text, safe="", errors="replace")),
)
"""Percent-encoded parts of an address."""

texts = st.one_of(
    st.sampled_from(["", " ", "\x00", "a\x00b", "\ud800", "\udfff文", "\u202e", "文" * 3000]),
    st.sampled_from(
        ["冻土", "𠮷野家", "😀", "e\u0301", "\r\n", "<em>", "'; DROP", "{{7*7}}", "${a}"]
    ),
    st.sampled_from([*NASTY, *REFUSED]),
    st.text(max_size=12),
)
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**30, 1e308, -0.0, 5e-324]),
    st.floats(allow_nan=True, allow_infinity=True),
)
members = st.sampled_from(
    [
        *("query", "queries", "q", "collection", "top_k", "recall_k", "mode", "filter", "rank"),
        *("diversity", "budget_ms", "explain", "fields", "documents", "ids", "id", "title", "text"),
        *("input", "input_type", "model", "top_n", "rank_fields", "return_documents", "name"),
        *("encoding_format", "dimensions", "and", "or", "not", "any", "gte", "year", "format"),
        *(
            "mapping",
            "max_errors",
            "source",
            "vectors",
            "encoder",
            "limit",
            "after",
            "文",
            "\ud800",
        ),
    ]
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(members, inner, max_size=4)
    ),
    max_leaves=8,
)
"""JSON values, also those that JSON does not have."""

queries = st.dictionaries(members, st.one_of(segments, numbers.map(str)), max_size=4).map(
    lambda pairs: "&".join(
        f"{quote(name, safe='', errors='replace')}={value}" for name, value in pairs.items()
    )
)

_RAW = [
    *(b"", b"{", b"null", b"[]", b'"a"', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{}{}"),
    *(b'{"query": "\xb6\xb3\xcd\xc1"}', rb'{"query": "\ud800"}', b'{"query": "\xed\xa0\x80"}'),
    *(b'{"query": NaN}', b'{"top_k": 1e999, "query": "a"}', b'{"query": "a", "query": "b"}'),
    *(b"[" * 5_000, b'{"filter":' * 2_000, b'{"input": "a\\u0000b"}', b'{"query": "\\u0000"}'),
    *(b'{"documents": [{"id": 1, "title": "\xe9\xa2\x98"}]}', b"id,title\r1,a\r2,b\r"),
    *(b"\x1f\x8b\x08\x00", b"PAR1PAR1", b"\x28\xb5\x2f\xfd", b"id\ttitle\n1\t\xff\n"),
]
bodies = st.one_of(
    st.dictionaries(members, values, max_size=5).map(lambda body: json.dumps(body).encode()),
    st.dictionaries(members, values, max_size=5).map(
        lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
    st.dictionaries(members, values, max_size=3).map(
        lambda body: json.dumps(body, ensure_ascii=False).encode("gb18030", "replace")
    ),
    st.sampled_from(_RAW),
    st.binary(max_size=40),
)
content_types = st.sampled_from(
    [
        *("application/json",) * 6,
        *("application/json; charset=gbk", "application/vnd.api+json", "text/plain", "text/csv"),
        *("application/octet-stream", "multipart/form-data", "multipart/form-data; boundary=x"),
        *("application/x-ndjson", "image/png", "", "application/vnd.apache.parquet"),
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> OddRequest:
    """A call of the API in which a part or all of it is odd."""
    method, template = draw(st.sampled_from(OPERATIONS))
    path = ""
    for part in template.split("/")[1:]:
        before, opening, rest = part.partition("{")
        after = rest.partition("}")[2]
        path += f"/{before}{draw(segments) if opening else ''}{after}"
    query = draw(queries)
    if method == "DELETE":  # the sample is needed by other tests
        path = path.replace("/literature", "/fuzz_odd")
    target = (f"{path}?{query}" if query else path).encode()
    return OddRequest(method, target, draw(content_types), draw(bodies))
