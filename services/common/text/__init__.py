"""Analysis of Chinese and mixed text into words, the same at index and at query time."""

from services.common.text.analyzer import ANALYZER_VERSION, WordAnalyzer, index_text

__all__ = ["ANALYZER_VERSION", "WordAnalyzer", "index_text"]
