"""Is there anything to steer? Short runs under a few weights against the noise of the score."""

from __future__ import annotations

from lossagent.probe.course import Course, read_course
from lossagent.probe.findings import Findings, find
from lossagent.probe.page import write_findings
from lossagent.probe.plan import Plan, plan_of

__all__ = ["Course", "Findings", "Plan", "find", "plan_of", "read_course", "write_findings"]
