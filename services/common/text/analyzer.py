"""Words for the lexical leg.

Text is folded (Unicode NFKC, traditional to simplified Chinese, lower case) and cut by
jieba's search mode, which gives a compound and its parts: 国有企业 is found by 企业 too.
Every word is one run of letters and digits. That is what Milvus's `standard` tokenizer keeps
whole, on milvus-lite and on a cluster, so what is indexed is exactly what is returned here.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

import opencc
import rjieba

ANALYZER_VERSION = 1
"""Part of an analyzer's identity. Raise it with any change of what `words` returns."""

MAX_INDEX_BYTES = 65_535
"""Milvus's limit for a VARCHAR."""

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


class WordAnalyzer:
    """Cuts text into words. Thread-safe; loading takes about 0.1 s.

    `user_words` are kept whole beside the built-in dictionary. They change what `words`
    returns, so an index and its queries need the same ones: `identity` tells.
    """

    def __init__(self, user_words: Iterable[str] = ()) -> None:
        self._simplify = opencc.OpenCC("t2s").convert
        self._jieba = rjieba.Jieba()
        own = sorted({self.fold(word) for word in user_words})
        for word in own:
            self._jieba.add_word(word, None, None)
        digest = hashlib.sha256("\n".join(own).encode()).hexdigest()[:8]
        self.identity = f"{ANALYZER_VERSION}d{digest}" if own else f"{ANALYZER_VERSION}"
        """Part of a collection's physical name; equal where `words` returns the same."""

    def fold(self, text: str) -> str:
        """The form in which texts are compared: NFKC, simplified characters, lower case."""
        simplified: str = self._simplify(unicodedata.normalize("NFKC", text).lower())
        return simplified

    def words(self, text: str) -> list[str]:
        """The words of a text in order of appearance, with repetitions; no punctuation."""
        pieces = self._jieba.cut_for_search(self.fold(text), hmm=True)
        # "covid-19" comes as covid and covid-19: the second becomes covid19.
        words = (_NOT_ALPHANUMERIC.sub("", piece) for piece in pieces)
        return [word for word in words if word]


def index_text(words: Iterable[str], limit: int = MAX_INDEX_BYTES) -> str:
    """Words joined by spaces; what would exceed `limit` bytes of UTF-8 is left out at the end."""
    joined = " ".join(words)
    encoded = joined.encode()
    if len(encoded) <= limit:
        return joined
    # The cut may fall into a word; the rest of it goes too.
    end = limit if encoded[limit : limit + 1] == b" " else encoded.rfind(b" ", 0, limit)
    return encoded[: max(end, 0)].decode()
