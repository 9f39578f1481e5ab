"""Words for the lexical leg, the same at index and at query time.

Text is folded (normal form, lower case, Latin letters without accents). Chinese is cut by jieba's
search mode, which gives a compound and its parts: 国有企业 is found by 企业 too. Everything else
is cut by `expressions`. A document also gives each of its Chinese characters once, as *characters*,
which only a query of single characters asks for.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from services.common.text.expressions import EXPRESSION, expression_words, joined_names
from services.common.text.normalise import HAN, normalise

ANALYZER_VERSION = 2
"""Version of the word analysis, which is part of an analyzer's identity. Raise it with any change
of the words."""

MAX_INDEX_BYTES = 65_535
"""Most bytes of the words of a document in UTF-8, which is Milvus's limit for a VARCHAR."""

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_HAN_CHARACTER = re.compile(f"[{HAN}]")
_RARE = re.compile(r"[\u3400-\u4dbf\U00020000-\U0003ffff]")
"""Chinese characters that jieba does not know and would join with their neighbours; here each is a
word."""
_RARE_OR_REST = re.compile(
    r"[\u3400-\u4dbf\U00020000-\U0003ffff]|[^\u3400-\u4dbf\U00020000-\U0003ffff]+"
)
_PHRASE_LETTERS = "a-z0-9\u00df-\u024f\u0370-\u052f"
_SPACE_BY_HAN = re.compile(f"(?<=[{HAN}]) | (?=[{HAN}])")
_GAPS = frozenset(("", " "))
_MOST_CHARACTERS = 3
"""Words of one Chinese character each that still make a query of single characters."""

# Milvus's tokenizer splits at signs, so the signs inside words travel as letters (of Lisu, which
# has no case): what is indexed is then exactly what was cut here, on every engine.
_SIGNS = ".+#%‰/^-±°&"
_AS_LETTERS = str.maketrans(_SIGNS, "".join(chr(0xA4D0 + at) for at in range(len(_SIGNS))))
_CHARACTER_MARK = chr(0xA4D0 + len(_SIGNS))


class WordAnalyzer:
    """Cuts text into words. Thread-safe; loading takes about 0.1 s.

    `user_words` are kept whole beside the built-in dictionary. They change the words, so an index
    and its queries need the same ones; `identity` tells whether they have.
    """

    def __init__(self, user_words: Iterable[str] = ()) -> None:
        import rjieba  # The gateway needs this module and no dictionary, which takes 0.2 s.

        self._jieba = rjieba.Jieba()
        own = sorted({self.fold(word) for word in user_words})
        self.user_words = own
        """The user's words in the form in which texts are compared, each once."""
        for word in own:
            self._jieba.add_word(word, None, None)
        self._mixed = frozenset(word for word in own if EXPRESSION.search(word))
        digest = hashlib.sha256("\n".join(own).encode()).hexdigest()[:8]
        self.identity = f"{ANALYZER_VERSION}d{digest}" if own else f"{ANALYZER_VERSION}"
        """Part of a collection's physical name; equal where the words are the same."""

    def fold(self, text: str) -> str:
        """The form in which texts are compared: the normal form, folded."""
        return compared(text)

    def words(self, text: str) -> list[str]:
        """The words of a text in order of appearance, with repetitions; no punctuation."""
        return self._words(self.fold(text))

    def document_words(self, text: str) -> list[str]:
        """The words of a document as the index holds them: those of its text, and each Chinese
        character once."""
        folded = self.fold(text)
        characters = filter(str.isalnum, dict.fromkeys(_HAN_CHARACTER.findall(folded)))
        return [*self._words(folded), *(each + _CHARACTER_MARK for each in characters)]

    def query_words(self, query: str) -> list[str]:
        """The words that are looked up in the index for a query.

        A query of at most three Chinese characters that are no words together (儿) finds the
        documents with these characters; any other query finds those with its words, and those
        that write a name of it and its number together.
        """
        folded = self.fold(query)
        words = [*self._words(folded), *joined_names(folded)]
        if len(words) <= _MOST_CHARACTERS and all(map(_HAN_CHARACTER.fullmatch, words)):
            return [*words, *(each + _CHARACTER_MARK for each in words)]
        return words

    def terms(self, query: str) -> list[str]:
        """The parts of a query that can be marked in a folded text: its words, and its expressions
        as typed."""
        folded = self.fold(query)
        expressions = (match[0] for match in EXPRESSION.finditer(folded))
        return list(dict.fromkeys([*self._words(folded), *expressions]))

    def cuts(self, folded: str) -> set[int]:
        """The places of a folded text where a word of the dictionary or an expression begins or
        ends. What no dictionary knows has one at each of its characters."""
        places, end = {0, len(folded)}, 0
        for match in [*EXPRESSION.finditer(folded), None]:
            start = match.start() if match else len(folded)
            at = end
            for piece in self.pieces(folded[end:start], unknown=False):
                places.add(at)
                at += len(piece)
            places.add(at)
            if match:
                end = match.end()
                places |= {start, end}
        return places

    def pieces(self, folded: str, *, unknown: bool = True) -> list[str]:
        """A folded text cut into words and signs, which together are the text.

        With `unknown` words that the dictionary does not have are guessed, else they come as single
        characters.
        """
        pieces: list[str] = self._jieba.cut(folded, hmm=unknown)
        return pieces

    def _words(self, folded: str) -> list[str]:
        words: list[str] = []
        end = 0
        for match in EXPRESSION.finditer(folded):
            start = match.start()
            if start > end + 1 or folded[end:start] not in _GAPS:
                words += self._chinese_words(folded[end:start])
            words += expression_words(match[0])
            end = match.end()
        words += self._chinese_words(folded[end:])
        if _RARE.search(folded):
            words = [part for word in words for part in _RARE_OR_REST.findall(word)]
        if self._mixed:  # These are the user's words of both letters and Chinese characters.
            pieces = self._jieba.cut_for_search(folded, hmm=True)
            words += (piece for piece in pieces if piece in self._mixed)
        return words

    def _chinese_words(self, text: str) -> list[str]:
        pieces = self._jieba.cut_for_search(text, hmm=True)
        return [
            word
            for piece in pieces
            if (word := piece if piece.isalnum() else _NOT_ALPHANUMERIC.sub("", piece))
        ]


def compared(text: str) -> str:
    """The form in which texts are compared: the normal form, folded."""
    return fold(normalise(text))


def phrase_pattern(folded: str) -> re.Pattern[str]:
    """The pattern of a phrase in texts, both as `compared` writes them.

    A phrase that begins or ends with a digit or a letter, Latin, Greek or Cyrillic, is found as
    whole words only: RAIN does not hold AI, PM2.5 not PM2, C++ not C. A space beside a Chinese
    character means nothing: a line may end anywhere in a Chinese text.
    """
    pieces = [re.escape(folded[:1])]
    for left, right in pairwise(_SPACE_BY_HAN.sub("", folded)):
        by_han = _HAN_CHARACTER.match(left) or _HAN_CHARACTER.match(right)
        pieces += (" ?" if by_han else "", re.escape(right))
    return re.compile(_word_start(folded) + "".join(pieces) + _word_end(folded))


def _word_start(folded: str) -> str:
    """The pattern of what stands before a phrase as a whole word."""
    digit = r"(?<![0-9][.^])" if re.match("[0-9]", folded) else ""
    return f"(?<![{_PHRASE_LETTERS}]){digit}" if re.match(f"[{_PHRASE_LETTERS}]", folded) else ""


def _word_end(folded: str) -> str:
    """The pattern of what follows a phrase as a whole word."""
    if not re.search(f"[{_PHRASE_LETTERS}]$", folded):
        return ""
    more = r"(?!\.[0-9]|\^)" if re.search("[0-9]$", folded) else r"(?!\+\+|#)"
    return f"(?![{_PHRASE_LETTERS}]){more}"


def fold(normal: str) -> str:
    """Lower case without accents of Latin letters; a character stays one character."""
    lower = normal.lower()
    if len(lower) != len(normal):  # Lowering İ would give two characters.
        lower = "".join(_one(each.lower(), each) for each in normal)
    return lower if lower.isascii() else _ACCENTED.sub(_without_accent, lower)


def _one(lower: str, character: str) -> str:
    return lower if len(lower) == 1 else character


def _without_accent(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFD", match[0])[0].lower()


def index_text(words: Iterable[str], limit: int = MAX_INDEX_BYTES) -> str:
    """Words of a document or a query in the form that Milvus gets: joined by spaces, signs as
    letters.

    Words that would exceed `limit` bytes of UTF-8 are left out at the end.
    """
    joined = " ".join(words).translate(_AS_LETTERS)
    encoded = joined.encode()
    if len(encoded) <= limit:
        return joined
    # The cut may fall into a word, so the rest of that word is dropped too.
    end = limit if encoded[limit : limit + 1] == b" " else encoded.rfind(b" ", 0, limit)
    return encoded[: max(end, 0)].decode()
