"""Tables that a narrow window can set one row below the other: each cell knows the heading of its column."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor

WIDE = 3
"""Columns from which on a table is marked; the style sheet stacks its rows on narrow windows."""


class _Labels(Treeprocessor):
    """Marks tables of many columns and labels their cells."""

    def run(self, root: Element) -> None:
        """Changes the tree in place."""
        for table in root.iter("table"):
            heads = ["".join(head.itertext()).strip() for head in table.iter("th")]
            if len(heads) < WIDE:
                continue
            table.set("data-wide", str(len(heads)))
            for row in table.iter("tr"):
                for head, cell in zip(heads, row.findall("td"), strict=False):
                    cell.set("data-label", head)


class Tables(Extension):
    """The extension of Python-Markdown."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  (the library's name)
        """Runs after cells are parsed, before their inline text is."""
        md.treeprocessors.register(_Labels(md), "labels", 5)


def makeExtension() -> Tables:  # noqa: N802  (the library's name)
    """What the library looks for."""
    return Tables()
