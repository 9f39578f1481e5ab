"""The answer of recall to a search, and its JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic_core import to_json

from services.common.documents import Content
from services.common.wire.facets import FacetCounts
from services.common.wire.passages import ShownPassages
from services.common.wire.stages import Stage
from services.recall.domain import Index
from services.recall.legs.fusion import Fused, numbers_of


@dataclass(frozen=True, slots=True)
class Recalled:
    """Candidates of a search, with the figures of their finding."""

    candidates: list[Fused]
    index: Index
    terms: list[str]
    stages: list[Stage]
    degraded: list[str]
    found: int = 0
    """Number of documents that both legs found, including those not answered."""
    documents: list[Content] | None = None
    """The whole documents of the candidates in their order, without deleted ones; None if not
    wanted."""
    every: list[Fused] | None = None
    """All documents of both legs, the candidates first; None if not wanted."""
    pinned: Sequence[str] = ()
    """Ids of the pinned candidates, in their order."""
    shown: Mapping[str, ShownPassages] = field(default_factory=dict)
    """The passages of long documents."""
    boosted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Log-odds that boosts add to documents, and their scores without them, by id."""
    counted: FacetCounts | None = None
    """Counts over all that was found; None if not wanted, or if they could not be made."""


def written(recalled: Recalled) -> bytes:
    """A RecallResponse as JSON. Candidates are written without validation, which would double the
    time."""
    named = recalled.every or recalled.candidates
    return to_json(
        {
            "candidates": [_candidate(each) for each in recalled.candidates],
            "found": recalled.found,
            "every": None if recalled.every is None else [_named(each) for each in recalled.every],
            "documents": recalled.documents,
            "pinned": recalled.pinned,
            "passages": {
                identity: numbers for identity, numbers in numbers_of(named).items() if numbers
            },
            "shown": recalled.shown,
            "boosted": {
                one.document.id: recalled.boosted[one.document.id]
                for one in named
                if one.document.id in recalled.boosted
            },
            "counted": recalled.counted,
            "index": recalled.index.physical,
            "encoder": recalled.index.encoder,
            "terms": recalled.terms,
            "stages": recalled.stages,
            "degraded": recalled.degraded,
        },
        inf_nan_mode="null",  # NaN cannot be written as JSON.
    )


def _named(fused: Fused) -> tuple[object, ...]:
    document = fused.document
    return document.id, document.version, fused.score, fused.dense, fused.lexical


def _candidate(fused: Fused) -> dict[str, object]:
    document = fused.document
    return {
        "id": document.id,
        "version": document.version,
        "title": document.title,
        "text": document.text,
        "dense": fused.dense,
        "lexical": fused.lexical,
        "score": fused.score,
        "wording": fused.wording,
    }
