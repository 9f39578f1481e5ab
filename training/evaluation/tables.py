"""Makes the tables of a task's measures: one for all queries, and one for each kind of query."""

from collections.abc import Iterator

from training.evaluation.legs import Rankings, qrels_of
from training.evaluation.metrics import measure
from training.evaluation.report import Rows
from training.evaluation.tasks import Task


def tables(task: Task, rankings: Rankings) -> Iterator[tuple[str, Rows, int]]:
    """Yields the name, the rows and the number of queries of each table; a table of one kind is
    named like `natural:ask`."""
    qrels = qrels_of(task)
    parts = {task.name: frozenset(qrels)}
    parts |= {f"{task.name}:{kind}": ids for kind, ids in task.kinds().items()}
    for name, ids in parts.items():
        asked = {query: relevant for query, relevant in qrels.items() if query in ids}
        yield name, {row: measure(asked, found) for row, found in rankings.items()}, len(asked)
