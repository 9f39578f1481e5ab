"""Ids of documents that have been trouble somewhere, and those that no document may have."""

from services.common.documents import MAX_ID_BYTES

NASTY = [
    *("a/b", "/", "//", "a//b", "/a", "a/", "../x", "./x", "a/..", "a/../b", "...", "..a"),
    *("%2E%2E", "a%2Fb", "%", "%zz", "%00", "?x", "a?b=c", "#", "a#b", ";", "a;b=c", ":", "a:b"),
    *("documents:delete", "x:rebuild", " a", "a ", "a b", "+", "&", "=", "~", "-", "--json", "_"),
    *("a\\b", "..\\x", "'", '"', "`", "<>", "{}", "[]", "|", "^", "$", "*", "@", "!", "()"),
    *(
        "冻土",
        "１２",
        "é",
        "e\u0301",
        "😀",
        "👨‍👩‍👧",
        "𠮷",
        "\u200b",
        "a\u2028b",
        "\ufeff",
        "\ufffd",
        "\x7f",
    ),
    *("a" * MAX_ID_BYTES, "文" * (MAX_ID_BYTES // 3), "😀" * (MAX_ID_BYTES // 4)),
    *("null", "undefined", "0", "-1", "CON", "a\u202eb", "١٢"),
]
"""Ids that a document may have."""


REFUSED = [
    *("", ".", "..", " ", "\u3000", "\u2028", "\t", "a\nb", "a\x00", "\x1f", "\ud800", "a\udfff"),
    *("a" * (MAX_ID_BYTES + 1), "文" * (MAX_ID_BYTES // 3 + 1)),
]
"""Ids that no document may have."""
