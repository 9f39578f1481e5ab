"""Analysis of Chinese and mixed text into words, the same at index and at query time."""

from services.common.text.analyzer import WordAnalyzer, index_text
from services.common.text.dictionaries import Analyzers

__all__ = ["Analyzers", "WordAnalyzer", "index_text"]
