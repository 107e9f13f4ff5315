"""What a run need not find out by itself, since another one beside it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.session.fixed import FixedRun
from lossagent.session.memory import ScoreMemory


@dataclass(frozen=True)
class Known:
    """What is known before a run.

    Attributes:
        overlaps: what the check of the image sets found; ``None`` makes it.
        fixed: the run under fixed weights, in place of the one that ``fixed_run`` names.
        memory: scores that were taken before; the same ones are not taken again.
    """

    overlaps: Sequence[str] | None = None
    fixed: FixedRun | None = None
    memory: ScoreMemory | None = None


NOTHING = Known()
