"""Experiment -> objects: the only part that knows every other one."""

from lossagent.build.parts import Parts, build
from lossagent.build.sets import Sets

__all__ = ["Parts", "Sets", "build"]
