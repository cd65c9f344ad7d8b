"""Bytecode, so that a new instance need not compile what it imports: that takes as long again.

Functions may lay the files out with other times and may not let the app write beside them, so the
bytecode is of the kind that is taken without a look at the source (PEP 552).
"""

import marshal
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import PurePosixPath

from tools.package.archive import Content
from tools.package.target import Target
from tools.package.wheels import SITE

UNCHECKED = (1).to_bytes(4, "little")
SELDOM = ("apprise", "databricks", "datasets", "huggingface_hub", "numpy", "pandas")
"""Large, and taken by few invocations: data of the hub, and channels that we have no own for."""


def is_possible(target: Target) -> bool:
    """Whether this Python makes the bytecode of that one."""
    return target.python == "{}.{}".format(*sys.version_info)


def bytecode(sources: Mapping[str, Content]) -> dict[str, Content]:
    """The bytecode of the modules, where Python looks for it."""
    return {name: partial(bytes, code) for name, code in _compiled(sources)}


def _compiled(sources: Mapping[str, Content]) -> Iterator[tuple[str, bytes]]:
    left_out = tuple(f"{SITE}/{package}/" for package in SELDOM)
    for name in sorted(sources):
        if not name.endswith(".py") or name.startswith(left_out):
            continue
        source = sources[name]()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                code = compile(source, name, "exec", dont_inherit=True, optimize=0)
            except (SyntaxError, ValueError):  # it is for another Python
                continue
        path = PurePosixPath(name)
        cached = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        yield str(cached), MAGIC_NUMBER + UNCHECKED + source_hash(source) + marshal.dumps(code)
