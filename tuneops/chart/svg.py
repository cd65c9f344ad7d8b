"""A chart as SVG to put into a page: colours are the page's, by classes; nothing is inline."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from tuneops.chart.plan import DOT, FONT, KEY, TITLE_FONT, TITLE_Y, Chart
from tuneops.chart.style import STROKES

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def svg(chart: Chart) -> "Markup":
    """The chart as an element; on one page no two charts may have the same title.

    Its lines have the classes `chart-line-0`, `chart-line-1` and so on, and the colour of the text
    where a page gives them none.
    """
    from markupsafe import Markup

    name = re.sub(r"[^a-z0-9]+", "-", f"chart {chart.title}".lower()).strip("-")
    return Markup(_template().render(chart=chart, name=name))


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("tuneops.chart", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    dashes = [
        Markup(f' stroke-dasharray="{" ".join(map(str, stroke.dashes))}"') if stroke.dashes else ""
        for stroke in STROKES
    ]
    environment.globals.update(
        dashes=dashes, dot=DOT, font=FONT, key_length=KEY, title_font=TITLE_FONT, title_y=TITLE_Y
    )
    return environment.get_template("chart.svg.j2")
