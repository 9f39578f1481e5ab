"""The texts of the page: each in two languages, none missing, none left over."""

import re
from pathlib import Path

from services.common.errors import LeaseLost, SearchError, StartFailed
from tests.web.conftest import OpenPage

WEB = Path(__file__).parents[2] / "services" / "gateway" / "page" / "static" / "js"
CALL = re.compile(r"""\bt\(\s*(["`])([^"`]+)\1""")


def test_each_text_has_two_languages(open_page: OpenPage) -> None:
    page = open_page()
    wrong = page.evaluate(
        """async () => {
          const {messages} = await import("/js/messages.js");
          return Object.entries(messages).filter(([, pair]) =>
            pair.length !== 2 || typeof pair[0] !== typeof pair[1] || pair[0] === pair[1]
          ).map(([key]) => key);
        }"""
    )
    assert wrong == []


def test_every_text_that_is_asked_for_exists(open_page: OpenPage) -> None:
    page = open_page()
    keys = page.evaluate("import('/js/messages.js').then(({messages}) => Object.keys(messages))")
    asked = {
        match[2] for file in WEB.rglob("*.js") for match in CALL.finditer(file.read_text("utf-8"))
    }
    assert len(asked) > 100
    for key in asked:
        pattern = re.compile(re.sub(r"\\\$\\\{.*?\\\}", ".+", re.escape(key)))
        assert any(pattern.fullmatch(known) for known in keys), f"no text for {key}"


def test_no_text_is_left_over(open_page: OpenPage) -> None:
    page = open_page()
    keys = page.evaluate("import('/js/messages.js').then(({messages}) => Object.keys(messages))")
    source = "\n".join(
        file.read_text("utf-8") for file in WEB.rglob("*.js") if file.parent.name != "messages"
    )
    prefixes = set(re.findall(r"`([a-z.]+)\$\{", source)) | {
        f"{prefix}." for prefix in re.findall(r'named\("([a-z]+)"', source)
    }
    left = [
        key for key in keys
        if f'"{key}"' not in source and not key.startswith(tuple(prefixes))
    ]  # fmt: skip
    assert left == []


def test_each_error_that_a_reader_can_meet_has_a_title(open_page: OpenPage) -> None:
    page = open_page()
    keys = page.evaluate("import('/js/messages.js').then(({messages}) => Object.keys(messages))")
    met = [SearchError]
    for cls in met:
        met += [each for each in cls.__subclasses__() if each not in (LeaseLost, StartFailed)]
    codes = {cls.code for cls in met if cls.__module__.startswith("services.")}
    assert {code for code in codes if f"problem.{code}" not in keys} == set()
