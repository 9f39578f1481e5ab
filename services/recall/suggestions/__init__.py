"""Completions of a query that is being typed: titles, keywords and authors, also by their
pinyin."""
