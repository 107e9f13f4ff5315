"""Run folders and pages that are made once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from make_run import make_run

from lossagent.report import write_report


@dataclass(frozen=True)
class Made:
    """Three runs at one budget and the page on them."""

    runs: tuple[Path, Path, Path]
    page: Path

    @property
    def html(self) -> str:
        return self.page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    root = tmp_path_factory.mktemp("report")
    runs = (
        make_run(root / "llm", "llm"),
        make_run(root / "fixed", "fixed"),
        make_run(root / "random", "random"),
    )
    page = root / "out" / "report.html"
    page.parent.mkdir()
    write_report(runs, page, notes=["a note & more"])
    return Made(runs, page)


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("demo")
    runs = [make_run(root / kind, kind, images=3, beyond=True) for kind in ("llm", "fixed")]
    return write_report(runs, root / "report.html", claim_intervals=False).read_text(encoding="utf-8")
