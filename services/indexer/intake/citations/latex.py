"""Reads the LaTeX of BibTeX's values with pylatexenc."""

import re
from functools import lru_cache
from typing import Any

from pylatexenc.latex2text import (
    LatexNodes2Text,
    MacroTextSpec,
    get_default_latex_context_db,
)
from pylatexenc.latexwalker import get_default_latex_context_db as default_arguments
from pylatexenc.macrospec import std_macro

_MATHS = re.compile(r"((?<!\\)\$[^$]*\$)")
_RAW = re.compile(r"(?<!\\)[&%]")
"""Signs that LaTeX takes for its own and that files hold as themselves all the same."""
_ADDRESS = re.compile(r"\\url\s*\{(?P<address>[^{}]*)\}")
_ESCAPE = re.compile(r"\\(?=[_%&#$~])|(?<=\\~)\{\}")
_COMMANDS = {
    "textasciicircum": "^",
    "textbraceleft": "{",
    "textbraceright": "}",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textbardbl": "‖",
    "textunderscore": "_",
    "textquotedbl": '"',
    "textminus": "\N{MINUS SIGN}",
    "copyright": "©",
    "degree": "°",
    "pounds": "£",
    "S": "§",
    "P": "¶",
    "url": "%s",
    "href": "%(2)s",
}
"""What commands show that the library leaves out or shows in another way."""


def plain(value: str) -> str:
    """The text that LaTeX would set; the value as it is written if it cannot be read. Raises
    RecursionError for braces within each other without end."""
    if not re.search(r"[\\{}~$%`'<>?!-]", value):
        return value
    # Formulas stay as they are.
    parts = _MATHS.split(value)
    parts[::2] = [_escaped(part) for part in parts[::2]]
    try:
        text = str(_decoder().latex_to_text("".join(parts), latex_context=_arguments()))
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - commands without their arguments raise whatever they like
        return value
    return text.replace("\u00a0", " ")


def address(value: str) -> str:
    """An address or DOI, which is no LaTeX, without the signs of it that programs write all the
    same."""
    if found := _ADDRESS.fullmatch(value.strip()):
        value = found["address"]
    return _ESCAPE.sub("", value)


def _escaped(text: str) -> str:
    text = _ADDRESS.sub(lambda found: found[0].replace("~", r"\textasciitilde{}"), text)
    return _RAW.sub(r"\\\g<0>", text)


@lru_cache(maxsize=1)
def _decoder() -> LatexNodes2Text:
    signs = get_default_latex_context_db()
    shown = [MacroTextSpec(name, text) for name, text in _COMMANDS.items()]
    signs.add_context_category("commands", macros=shown, prepend=True)
    return LatexNodes2Text(latex_context=signs, math_mode="verbatim", keep_comments=True)


@lru_cache(maxsize=1)
def _arguments() -> Any:
    """The arguments that commands have."""
    known = default_arguments()
    known.add_context_category("links", macros=[std_macro("href", False, 2)], prepend=True)
    return known
