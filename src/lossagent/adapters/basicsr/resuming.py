"""Where in a run the trainer's own checkpoint belongs."""

from __future__ import annotations

from lossagent.errors import Refused
from lossagent.trajectory import Trajectory

ITERATION = "trainer iteration"
"""Entry of a stage's report: the trainer's own count when the state was told."""


def position(trajectory: Trajectory, iteration: int) -> tuple[int, int]:
    """(newest state that the trainer had reached, iteration at which it was told).

    Args:
        trajectory: the run, S_0 of it told.
        iteration: of the trainer's checkpoint, 0 where it begins anew.

    Raises:
        Refused: the run began later than that, or its states were not told by this hook.
    """
    reached: tuple[int, int] | None = None
    for state in trajectory.scored:
        told = state.report.extra.get(ITERATION) if state.report is not None else None
        if told is None:
            raise Refused(
                f"state {state.id} of the run was not told by a trainer of this family, which notes its iteration. "
                "Take a folder of its own for this training."
            )
        if told <= iteration:
            reached = (state.id, int(told))
    if reached is None:
        raise Refused(
            f"the trainer goes on from iteration {iteration}, before the steering of this run began. Take a new run "
            "folder, or a later checkpoint."
        )
    return reached
