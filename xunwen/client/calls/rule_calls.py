"""Calls on the query rules and the dictionary of a collection."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from services.common.validation import first_reason
from services.common.wire.dictionary import (
    DictionaryUpdate,
    DictionaryWritten,
    StoredDictionary,
)
from services.common.wire.query_rules import (
    QueryRules,
    QueryRulesUpdate,
    RulesWritten,
    StoredRules,
)
from xunwen.client.calls.call import Call, collection_path, listed
from xunwen.client.errors import XunwenError


def rules_update(rules: QueryRules | Mapping[str, Any]) -> QueryRulesUpdate:
    """Query rules in the form in which they are sent. Raises XunwenError for impossible ones."""
    members = rules.model_dump(exclude_unset=True) if isinstance(rules, QueryRules) else rules
    try:
        return QueryRulesUpdate.model_validate(members)
    except ValidationError as error:
        raise XunwenError(f"Query rules: {first_reason(error)}.") from error


def put_query_rules(name: str, rules: QueryRulesUpdate) -> Call[RulesWritten]:
    """The replacement of the query rules of a collection."""
    body = rules.model_dump(exclude_none=True)
    # A repeated change that is based on a version would be refused.
    again = rules.version is None
    path = f"{collection_path(name)}/query-rules"
    return Call("PUT", path, RulesWritten, json=body, repeatable=again)


def put_dictionary(name: str, words: Sequence[str]) -> Call[DictionaryWritten]:
    """The replacement of the words of a collection's dictionary. Raises XunwenError."""
    whole = listed(words, "words")
    try:
        body = DictionaryUpdate(words=whole)
    except ValidationError as error:
        raise XunwenError(f"Dictionary: {first_reason(error)}.") from error
    path = f"{collection_path(name)}/dictionary"
    return Call("PUT", path, DictionaryWritten, json=body.model_dump())


def dictionary(name: str) -> Call[StoredDictionary]:
    """The dictionary of a collection."""
    return Call("GET", f"{collection_path(name)}/dictionary", StoredDictionary)


def query_rules(name: str) -> Call[StoredRules]:
    """The query rules of a collection."""
    return Call("GET", f"{collection_path(name)}/query-rules", StoredRules)
