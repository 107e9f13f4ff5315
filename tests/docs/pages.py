"""The pages of the documentation and their blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_FENCE = re.compile(
    r"(?P<marks>(?:^<!--[^\n]*-->\n)*)^(?P<indent> *)(?P<mark>```+)(?P<language>[a-z]*)[^\n]*\n"
    r"(?P<text>.*?)^(?P=indent)(?P=mark)\s*$",
    re.DOTALL | re.MULTILINE,
)
SHELL = frozenset({"sh", "bash", "console"})


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: its page, from the root of the repository.
        line: where it begins.
        language: what it says it is; ``""`` where it does not.
        text: what is in it.
        marks: the comments in the lines right before it.
    """

    page: str
    line: int
    language: str
    text: str
    marks: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def ours(self) -> bool:
        """Whether it is for lossagent, and not an excerpt of another program's file."""
        return "not ours" not in self.marks


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start("mark")) + 1,
            found["language"],
            re.sub(rf"(?m)^{found['indent']}", "", found["text"]),
            found["marks"],
        )
        for found in _FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.ours]


def commands(block: Block) -> list[str]:
    """The commands of a block of shell, continued lines joined."""
    if block.language not in SHELL:
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
