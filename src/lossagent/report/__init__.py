"""From run folders to one self-contained HTML page with its figures."""

from __future__ import annotations

from lossagent.report.page import write_report
from lossagent.report.reading import Evaluation, RunData, read_run

__all__ = ["Evaluation", "RunData", "read_run", "write_report"]
