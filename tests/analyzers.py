"""The word analysis without user words, shared by all tests: each one takes 24 MB and 0.1 s."""

from services.common.text import Analyzers

ANALYZERS = Analyzers()
ANALYZER = ANALYZERS.of("any")
