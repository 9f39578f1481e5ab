"""Random metadata and random filters."""

import random
from typing import Any

NAMES = ("year", "出版年（年）", "a's [b].c/%, x")
VALUES: tuple[Any, ...] = (
    "a", "b", "", "2015", "line\n", 'q"\\x', "it's", "数学", "𠮷", "%", "~1/",
    2015, 2016, 0, 1, -3, 1.0, 2015.5, -0.5, 1e300, -1e300, 2**53, 2**53 + 1, 2**63 - 1, 1 - 2**63,
    -(2**63),
    True, False,
)  # fmt: skip
TEXTS: list[Any] = [value for value in VALUES if isinstance(value, str) and value != "line\n"]
NUMBERS: list[Any] = [v for v in VALUES if isinstance(v, (int, float)) and not isinstance(v, bool)]


def documents(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Metadata in which each field is missing, single or a list, of any kind."""

    def fields() -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in NAMES:
            shape = chance.random()
            if shape < 0.35:
                made[name] = chance.choice(VALUES)
            elif shape < 0.7:
                made[name] = [chance.choice(VALUES) for _ in range(chance.randrange(5))]
        return made

    return [fields() for _ in range(count)]


def condition(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """A filter of every operator, nested up to three levels deep."""
    kind = chance.random()
    if depth < 3 and kind < 0.2:
        return {"not": condition(chance, depth + 1)}
    if depth < 3 and kind < 0.45:
        parts = [condition(chance, depth + 1) for _ in range(chance.randrange(1, 4))]
        return {chance.choice(["and", "or"]): parts}
    return {name: leaf(chance) for name in chance.sample(NAMES, chance.choice([1, 1, 2]))}


def leaf(chance: random.Random) -> Any:
    """What one field has to be."""
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(VALUES)
    if kind < 0.4:
        return {"ne": chance.choice(VALUES)}
    if kind < 0.6:
        several = [chance.choice(VALUES) for _ in range(chance.randrange(1, 4))]
        return {chance.choice(["any", "all"]): several}
    words = chance.sample(["gt", "gte", "lt", "lte"], chance.randrange(1, 3))
    bounds = chance.choice([TEXTS, NUMBERS])
    return {word: chance.choice(bounds) for word in words}
