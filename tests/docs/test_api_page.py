"""The page of the REST API names every error that a client may get."""

import re

from services.common.errors import Forbidden, LeaseLost, SearchError, StartFailed
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def codes(kind: type[SearchError]) -> set[str]:
    return {kind.code}.union(*map(codes, kind.__subclasses__()))


def test_every_code_of_an_error_stands_in_the_table() -> None:
    section = PAGE.split("\n## Errors\n")[1]
    rows = [row.split("|") for row in section.splitlines() if re.match(r"\| \d", row)]
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row[2])}
    # A client of the gateway gets neither: these are of workers, and of services that do not start.
    others = {LeaseLost.code, *codes(StartFailed)}
    assert named == codes(SearchError) - others | {"method_not_allowed"}


def test_a_refusal_without_keys_does_not_speak_of_a_key() -> None:
    assert "key" not in Forbidden.title
