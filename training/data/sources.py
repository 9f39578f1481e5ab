"""All pairs of an in-batch recipe: those of files, and those made anew of texts in each epoch.

`PairSource` holds its data in memory; `StreamedPairs` reads pairs when a batch needs them.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.lines import LineFile, Lines, Parts, lines_by_kind
from training.data.pairs import (
    Pair,
    abstract_pairs,
    pair_parser,
    shows_paper,
    texts_of,
    title_pairs,
)
from training.data.readers import columns, read_lines
from training.data.splits import held_out_query
from training.data.texts import document_text, held_back, read_abstracts, read_rows
from training.failures import DataInvalid, RecipeInvalid

log = logging.getLogger(__name__)

NATURAL = "natural"
"""Group of the pairs whose query was written for the document."""
_REPRESENTATIVES = 2000
"""Most streamed pairs that are drawn so that their documents stand for those of all pairs."""


@dataclass(frozen=True, slots=True)
class PairFiles:
    """The files that pairs are read from or made of; `InbatchRecipe` describes each kind."""

    pairs: Iterable[Path] = ()
    general_pairs: Iterable[Path] = ()
    natural: Iterable[Path] = ()
    abstracts: Iterable[Path] = ()
    titles: Iterable[Path] = ()
    exclude: Iterable[Path] = ()


@dataclass(frozen=True, slots=True)
class PairSource:
    """Pairs of files, and rows of which pairs are made in each epoch, all in memory."""

    fixed: Sequence[Pair]
    abstracts: Sequence[dict[str, Any]]
    titles: Sequence[dict[str, Any]]
    per_epoch: Mapping[str, int]
    """Most pairs of a group in an epoch, drawn anew each time. A group that is not named gives all
    its pairs."""
    validation: float
    """Share of the keys, 0 to 1, whose pairs validate instead of train."""

    def split(self, rng: np.random.Generator) -> tuple[Sequence[Pair], Sequence[Pair]]:
        """The pairs that train in one epoch, and those that validate. Raises RecipeInvalid."""
        pairs = self._epoch(rng)
        held = [held_back(pair.key, self.validation) for pair in pairs]
        return (
            [pair for pair, out in zip(pairs, held, strict=True) if not out],
            [pair for pair, out in zip(pairs, held, strict=True) if out],
        )

    def _epoch(self, rng: np.random.Generator) -> list[Pair]:
        made = abstract_pairs(self.abstracts, rng) + title_pairs(self.titles, rng)
        groups: dict[str, list[Pair]] = defaultdict(list)
        for pair in [*self.fixed, *made]:
            groups[pair.group].append(pair)
        _check_groups(self.per_epoch, groups)
        drawn: list[Pair] = []
        for group, members in groups.items():
            most = self.per_epoch.get(group)
            if most is None:
                drawn += members
            else:
                drawn += [members[at] for at in rng.permutation(len(members))[:most]]
        return drawn

    def representatives(self) -> dict[str, str]:
        """For each key one text that stands for its pairs: an abstract, a title, or a document."""
        texts = {pair.key: pair.title for pair in self.fixed}
        texts |= {row["id"]: row["abstract"] for row in self.abstracts}
        return texts | {row["id"]: row["title"] for row in self.titles}

    def documents(self) -> dict[str, str]:
        """The text of each document by its id, and of those of pairs by the key of the pair: title,
        a line break and abstract, or the only one that there is."""
        texts = {row["id"]: document_text(row) for row in [*self.abstracts, *self.titles]}
        return texts | {pair.key: pair.title for pair in self.fixed}


class StreamedPairs:
    """Pairs that stay in their files until a batch needs them."""

    def __init__(self, files: PairFiles, per_epoch: Mapping[str, int], validation: float) -> None:
        """Reads the files through once. Raises DataInvalid, RecipeInvalid."""
        parts = lines_by_kind(
            _pair_files(files, texts_of(files.exclude)),
            lambda pair: (held_back(pair.key, validation), pair.group),
        )
        _check_groups(per_epoch, {group for _, group in parts})
        self._trained = {group: lines for (out, group), lines in parts.items() if not out}
        self._validated = Parts([lines for (out, _), lines in parts.items() if out])
        self._per_epoch = per_epoch

    def split(self, rng: np.random.Generator) -> tuple[Sequence[Pair], Sequence[Pair]]:
        """The pairs that train in one epoch, and those that validate."""
        drawn = [self._drawn(group, rng) for group in self._trained]
        return Parts([lines for lines in drawn if lines]), self._validated

    def representatives(self) -> dict[str, str]:
        """For at most 2,000 keys, drawn at random, the document of a pair."""
        pairs = Parts([*self._trained.values()])
        rows = np.random.default_rng(0).permutation(len(pairs))[:_REPRESENTATIVES]
        return {pair.key: pair.title for pair in (pairs[int(row)] for row in rows)}

    def _drawn(self, group: str, rng: np.random.Generator) -> Lines[Pair]:
        lines, most = self._trained[group], self._per_epoch.get(group)
        return lines if most is None else lines.some(rng.permutation(len(lines))[:most])


def read_pair_source(
    files: PairFiles, per_epoch: Mapping[str, int], validation: float
) -> PairSource:
    """The pairs and rows of all files of an in-batch recipe. Raises DataInvalid."""
    held_out = texts_of(files.exclude)
    abstracts = read_abstracts(files.abstracts, held_out)
    titles = read_rows(files.titles, "title", held_out)
    fixed = [pair for file in _pair_files(files, held_out) for pair in file.read()]
    for path in files.natural:
        fixed += _natural_pairs(path, [*abstracts, *titles], held_out)
    return PairSource(fixed, abstracts, titles, per_epoch, validation)


def _pair_files(files: PairFiles, held_out: frozenset[str]) -> list[LineFile[Pair]]:
    def own(pair: Pair) -> bool:
        return not shows_paper(pair, held_out)

    def general(pair: Pair) -> bool:
        return own(pair) and not held_out_query(pair.query)

    kinds = ((files.pairs, own), (files.general_pairs, general))
    return [
        LineFile(path, pair_parser(path.stem), wanted) for paths, wanted in kinds for path in paths
    ]


def _check_groups(per_epoch: Mapping[str, int], groups: Collection[str]) -> None:
    if unknown := per_epoch.keys() - set(groups):
        raise RecipeInvalid(
            f"per_epoch names {', '.join(sorted(unknown))}; the groups of this data are "
            f"{', '.join(sorted(groups))}"
        )


def _natural_pairs(
    path: Path, rows: Iterable[dict[str, Any]], held_out: frozenset[str]
) -> list[Pair]:
    """The pairs of a file of `kind<TAB>query<TAB>id` lines: the query with the text of the document
    that the id names. Raises DataInvalid if no id names one."""
    texts = {row["id"]: document_text(row) for row in rows}
    lines, _ = read_lines(path, columns(3, 3))
    named = (Pair(query, texts[key], key, NATURAL) for _, query, key in lines if key in texts)
    pairs = [pair for pair in named if not shows_paper(pair, held_out)]
    if not pairs:
        raise DataInvalid(
            f"{path} names no document of `abstracts` or `titles`; a line holds kind, query and id"
        )
    if len(pairs) < len(lines):
        log.info(
            "%s: %d queries were left out; they or their documents are held out or unknown",
            path.name,
            len(lines) - len(pairs),
        )
    return pairs
