"""The stages of training by name: one line for each objective."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.objectives.base import NetworkObjective


@dataclass(frozen=True, slots=True)
class Stage:
    """The class of an objective and the help of its command."""

    objective: str
    """`module:class`, imported when the stage runs: Paddle takes seconds to load."""
    summary: str


STAGES = {
    "pretrain": Stage(
        "training.objectives.pretrain:PretrainObjective",
        "Predict hidden words of domain text (domain-adaptive pretraining).",
    ),
    "simcse": Stage(
        "training.objectives.simcse:SimcseObjective",
        "Bring two views of a text nearer than other texts (unsupervised).",
    ),
    "inbatch": Stage(
        "training.objectives.inbatch:InbatchObjective",
        "Find the document of a query among all documents of the batch (supervised).",
    ),
    "corpus": Stage(
        "training.objectives.corpus:CorpusObjective",
        "Find the document of a query among all of a corpus, whose vectors stay (supervised).",
    ),
    "rank": Stage(
        "training.objectives.rank:RankObjective",
        "Score a query's document above its negatives, or as its grade says (rankers).",
    ),
    "distil": Stage(
        "training.objectives.distil:DistilObjective",
        "Make the vectors that a larger encoder makes (students of an encoder).",
    ),
}


def objective_of(stage: str) -> "type[NetworkObjective[Any, Any]]":
    """The class of a stage's objective, which knows its recipe and builds itself."""
    module, _, name = STAGES[stage].objective.partition(":")
    objective: type[NetworkObjective[Any, Any]] = getattr(import_module(module), name)
    return objective
