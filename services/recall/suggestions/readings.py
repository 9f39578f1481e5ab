"""Pinyin of Chinese text, without tones: 重庆 is chong qing, 绿色 is lv se.

Words with more than one reading are read by the phrases that pypinyin knows, the longest first.
"""

import re
import unicodedata
from functools import cache, lru_cache

_LONGEST = 8
"""Number of characters of the longest phrase that is looked up."""
_MARKS = re.compile("[\u0300-\u036f]")


@cache
def readings() -> tuple[dict[str, list[list[str]]], dict[int, str]]:
    """The readings of phrases and of characters, which pypinyin loads in 0.3 s and 56 MB at the
    first call."""
    from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

    return PHRASES_DICT, PINYIN_DICT


def syllables(text: str) -> list[str]:
    """The syllable of each character; other letters and digits stand for themselves, all other
    characters have an empty one."""
    phrases, characters = readings()
    read: list[str] = []
    while len(read) < len(text):
        at = len(read)
        if text[at] < "\u3400":
            read.append(text[at] if text[at].isascii() and text[at].isalnum() else "")
            continue
        for length in range(min(_LONGEST, len(text) - at), 1, -1):
            if phrase := phrases.get(text[at : at + length]):
                read += (_toneless(syllable[0]) for syllable in phrase)
                break
        else:
            read.append(_toneless(characters.get(ord(text[at]), "").partition(",")[0]))
    return read[: len(text)]


@lru_cache(maxsize=4096)
def _toneless(syllable: str) -> str:
    parts = unicodedata.normalize("NFD", syllable).replace("u\u0308", "v")
    return _MARKS.sub("", parts)
