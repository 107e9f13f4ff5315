"""Where the time of finished runs went: training steps, and everything outside them.

    python benchmarks/run_shares.py runs/demo/llm [runs/demo/fixed ...]

Reads run folders; compares nothing with the clock of another machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lossagent.runs import read_events, read_exchanges
from lossagent.trajectory import Trajectory

HEAD = ("run", "steps", "data wait", "scoring", "restoring", "LLM", "checkpoints", "evidence, end", "outside steps")


def row(run: Path) -> tuple[str, ...]:
    events = read_events(run)
    trajectory = Trajectory.fold(events)
    reports = [s.report for s in trajectory.states if s.report is not None]
    waited = sum(r.waited for r in reports)
    scoring = sum(s.score_seconds for s in trajectory.states)
    saving = sum(r.extra.get("seconds/checkpoint", 0.0) for r in reports)
    restoring = sum(r.extra.get("seconds/restore", 0.0) for r in reports)
    evidence = sum(r.extra.get("seconds/evidence", 0.0) for r in reports)
    asking = sum(e.seconds for s in trajectory.states for e in read_exchanges(run, s.id))
    steps = sum(r.seconds for r in reports) - evidence - waited
    whole = events[-1].time - events[0].time
    rest = whole - steps - waited - scoring - saving - restoring - asking
    parts = (steps, waited, scoring, restoring, asking, saving, rest)
    return (run.name, *(f"{p:.1f} s {p / whole:.0%}" for p in parts), f"{(whole - steps) / whole:.1%}")


def main() -> None:
    runs = [Path(a) for a in sys.argv[1:]]
    if not runs:
        raise SystemExit(__doc__)
    table = [HEAD, *(row(run) for run in runs)]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
