"""Templates, rendered with everything escaped that is not ours."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from tuneops.page import words
from tuneops.page.answer import etag

PACKAGE = "tuneops.page"


@cache
def environment() -> Environment:
    """The templates of this package, with the filters and globals that all of them may use."""
    made = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(words.FILTERS)
    made.globals.update(link=_plain, static=static_link, visitor=None)
    return made


def render(template: str, **context: object) -> str:
    """The text of a page.

    `link(path, **query)` makes its addresses and `visitor` is who looks; `Visit.html` gives both.
    """
    return environment().get_template(template).render(**context)


@cache
def static_files() -> dict[str, bytes]:
    """What the pages link, by name."""
    folder = files(PACKAGE) / "static"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


@cache
def static_link(name: str) -> str:
    """The address of a file that the pages link; another content has another address."""
    return f"/static/{name}?v={static_version(name)}"


def static_version(name: str) -> str:
    """What tells the content of such a file from any other."""
    return etag(static_files()[name]).strip('"')[:12]


def _plain(path: str, /, **_: object) -> str:
    return path
