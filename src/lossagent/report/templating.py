"""Templates and style sheets that lie inside a package."""

from __future__ import annotations

from importlib import resources

import jinja2

from lossagent.report.costs import clock
from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import compact
from lossagent.report.pictures import data_uri


def environment(package: str) -> jinja2.Environment:
    """Templates of a package's ``templates`` folder; everything is escaped but what is marked as markup.

    Filters: ``clock`` and ``compact`` for numbers, ``figure`` for a figure as a data URI.
    """

    def source(name: str) -> str:
        return template_text(package, name)

    found = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["clock"] = clock
    found.filters["compact"] = compact
    found.filters["figure"] = _figure
    return found


def template_text(package: str, name: str) -> str:
    """A file of a package's ``templates`` folder."""
    return resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")


def _figure(figure: Figure) -> str:
    return data_uri(figure.png, "png")
