"""Files of words for user dictionaries, and the limits of such words."""

from pathlib import Path

from services.common.collection import NAME_RULE, is_collection_name
from services.common.errors import DictionaryInvalid

MAX_WORDS = 200_000
"""Most words of one dictionary."""
MAX_WORD_CHARS = 64
_SUFFIX = ".txt"


def files_of_words(folder: Path) -> list[Path]:
    """The files of dictionaries in a folder, in the order of their names. Raises
    DictionaryInvalid, also for a file that belongs to no possible collection: without the words of
    a collection, its documents and queries would be cut otherwise, and nobody would notice."""
    try:
        files = sorted(path for path in folder.iterdir() if path.name.lower().endswith(_SUFFIX))
    except OSError as error:
        raise DictionaryInvalid(
            f"the folder of user dictionaries {folder} cannot be read ({error.strerror}); create it"
            " or name another one"
        ) from error
    for path in files:
        if not (path.name.endswith(_SUFFIX) and is_collection_name(path.stem)):
            raise DictionaryInvalid(
                f"{path.name} in the folder of user dictionaries belongs to no collection; name it"
                f" <collection>{_SUFFIX}, where the name of a collection {NAME_RULE}, or remove it"
            )
    return files


def read_words(path: Path) -> list[str]:
    """The words of a dictionary, in the order of its lines. Raises DictionaryInvalid."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DictionaryInvalid(f"{path.name} is no file of words in UTF-8") from error
    words = []
    for number, line in enumerate(lines, start=1):
        word = line.split()[0] if line.strip() else ""
        if len(word) > MAX_WORD_CHARS:
            raise DictionaryInvalid(
                f"{path.name}, line {number}: a word has at most {MAX_WORD_CHARS} characters"
            )
        if word:
            words.append(word)
    if len(words) > MAX_WORDS:
        raise DictionaryInvalid(f"{path.name} has more than {MAX_WORDS:,} words")
    return words
