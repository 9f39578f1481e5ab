"""Names of fields. People may name them as columns are named, in any script."""

import re

from services.common.patterns import explained

MAX_NAME_CHARS = 64
_INSIDE = r'\x00-\x1f\x7f-\x9f"\\'
NAME = rf"[^\s{_INSIDE}*\-](?:[^{_INSIDE}]{{0,62}}[^\s{_INSIDE}])?"
"""Pattern of a name, without anchors. A name has no control characters, quotation marks or
backslashes, no white space at its ends, and no `-` or `*` at its beginning, since these mean a
falling order and every field."""
FIELD_NAME = re.compile(NAME)
HALF = re.compile("[\ud800-\udfff]")
"""Half of a character (a lone surrogate), which no text in UTF-8 holds."""
RULE = (
    f"a name has at most {MAX_NAME_CHARS} characters, no quotation mark, backslash or control"
    " character, no space at its ends, and does not begin with - or *"
)
"""Description of valid names, for messages."""
WHOLE_NAME = explained(f"^{NAME}$", RULE)
"""Pattern of a text that is a name and nothing else."""


def is_field_name(name: str) -> bool:
    """Whether a field may have this name."""
    return FIELD_NAME.fullmatch(name) is not None and not HALF.search(name)
