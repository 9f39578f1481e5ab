"""The terms on which a request is answered, and the way of one search from them to its answer.

Every route that searches uses it, whatever form its answer has.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Header

from services.common.request_context import Deadline
from services.gateway.access.caller import Caller, check_sees
from services.gateway.cache.policy import cache_use
from services.gateway.search.answers import Answered, Answers, Ask, Asker
from services.gateway.search.dependencies import AnswersDep, AskerDep, FieldNamesDep, SettingsDep
from services.gateway.search.field_names import FieldNames
from services.gateway.search.query.budget import Budget
from services.gateway.search.query.request import search_of
from services.gateway.search.query.schemas import SearchOptions
from services.gateway.search.query.search import Search
from services.gateway.settings import GatewaySettings

_COLON = re.compile("[:：]")

CacheControl = Annotated[
    str | None,
    Header(
        alias="Cache-Control",
        description="`no-cache` computes the answer anew, `no-store` does not keep it either",
    ),
]


@dataclass(frozen=True, slots=True)
class Terms:
    """The parts of a request that every search route reads beside its body or parameters."""

    answers: Answers
    settings: GatewaySettings
    asker: Asker
    caller: Caller
    field_names: FieldNames
    cache_control: str | None

    async def fields(
        self, options: SearchOptions, deadline: Deadline, *queries: str | None
    ) -> Sequence[str] | None:
        """The collection's fields if a query may name one, else None. Raises CollectionNotFound."""
        if options.syntax != "fields" or not any(_COLON.search(query or "") for query in queries):
            return None
        return await self.field_names.of(options.collection, deadline)

    def ask(self, search: Search, deadline: Deadline, patience: float = 0.0) -> Ask:
        """The search on these terms; `patience` is that of Ask."""
        return Ask(search, deadline, self.asker, cache_use(self.cache_control), patience)


async def _terms(
    answers: AnswersDep,
    settings: SettingsDep,
    asker: AskerDep,
    caller: Caller,
    field_names: FieldNamesDep,
    cache_control: CacheControl = None,
) -> Terms:
    """A coroutine, since FastAPI calls a class in a thread, which costs 0.4 ms."""
    return Terms(answers, settings, asker, caller, field_names, cache_control)


TermsDep = Annotated[Terms, Depends(_terms)]


async def answered(query: str | None, options: SearchOptions, terms: Terms) -> tuple[Ask, Answered]:
    """The ask of one search, and its answer. Raises the errors of the chain."""
    check_sees(terms.caller, options.collection)
    started = time.perf_counter()
    budget = Budget.of(options, terms.settings)
    deadline = budget.deadline()
    async with budget.kept(deadline):
        normalised = search_of(query, options, await terms.fields(options, deadline, query))
        ask = replace(terms.ask(normalised, deadline), started=started)
        return ask, await terms.answers.answer(ask)
