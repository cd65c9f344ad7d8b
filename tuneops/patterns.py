"""Regular expressions that other people write. Pure.

They are RE2's, whose time and memory are bounded whatever they say; Python's own may take for ever
on an answer of a few words, and a worker with it. RE2 has no look-around and no back-references.
"""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern, ready to search with.

    Raises:
        ValueError: it is none of RE2's.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0]
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise ValueError(f"is no regular expression (RE2): {said}") from error


def is_found(pattern: str, text: str) -> bool:
    """Whether the text has it; as in Python, ``$`` is also before a line break at the very end.

    Raises:
        ValueError: it is none of RE2's.
    """
    searched = compiled(pattern)
    return any(searched.search(each) for each in {text, text.removesuffix("\n")})
