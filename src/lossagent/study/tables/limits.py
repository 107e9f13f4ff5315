"""How often each arm's selected state keeps each limit of the goal."""

from __future__ import annotations

from lossagent.feedback import Feedback
from lossagent.goal import Constraint
from lossagent.statistics import wilson
from lossagent.study.comparisons import LEVEL, PERCENT
from lossagent.study.complete import row_of, state_of
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results, at_depth
from lossagent.study.settings import FIXED, Limit
from lossagent.study.tables.cells import MISSING, Cell, Row, Table
from lossagent.utility import kept, limit_of

SELECTION = "selection set"


def limit_table(results: Results, objective: str) -> Table | None:
    """Shares of seeds with Wilson's interval, on the selection set and on every test set."""
    limits = results.goal(objective).constraints
    if not limits:
        return None
    places = [SELECTION] if any(one.selection for one in results.every(objective)) else []
    places += results.sets(objective)
    columns = tuple((in_words(limit), name) for limit in limits for name in places)
    rows: list[Row] = []
    for arm in results.arms(objective):
        runs = results.outcomes[objective][arm]
        fixed = results.outcomes[objective].get(FIXED, {})
        found = [
            [_keeps(limit, one, fixed.get(s), name) for s, one in runs.items()] for limit in limits for name in places
        ]
        rows.append(Row(arm, tuple(_share(several) for several in found), arm=arm))
    notes = (
        f"Share of seeds in which the selected state keeps the limit, with Wilson's {PERCENT} interval. Runs chose "
        "their checkpoint by the limits on the selection set; test images show whether that holds elsewhere. A limit "
        "relative to fixed is taken at the same depth on the selection set, as the runs took it, and against the fixed "
        "arm's selected state on test images, as guards are.",
    )
    return Table(f"limits-{objective}", "Limits kept", columns, tuple(rows), notes)


def in_words(limit: Constraint | Limit) -> str:
    """``psnr_y ≥ fixed − 0.3``, ``lattice_peak ≤ 1.5 × start``."""
    sign, value = ("≥", limit.at_least) if limit.at_least is not None else ("≤", limit.at_most)
    assert value is not None
    if limit.relative_to == "absolute":
        return f"{limit.metric} {sign} {value:g}"
    if isinstance(limit, Limit) and limit.times:
        return f"{limit.metric} {sign} {value:g} × {limit.relative_to}"
    return f"{limit.metric} {sign} {limit.relative_to} {'−' if value < 0 else '+'} {abs(value):g}"


def _keeps(limit: Constraint, one: Outcome, fixed: Outcome | None, name: str) -> bool | None:
    own: Feedback | None
    if name == SELECTION:
        own, start = state_of(one, one.selected), one.selection.get(0)
        beside = at_depth(fixed, one.states[one.selected].depth) if fixed is not None else None
    else:
        own, start = row_of(one, name, "selected"), row_of(one, name, "start")
        beside = row_of(fixed, name, "selected") if fixed is not None else None
    score = own.mean(limit.metric) if own is not None else None
    return kept(limit, score, limit_of(limit, start, beside))


def _share(found: list[bool | None]) -> Cell:
    known = [one for one in found if one is not None]
    if not known:
        return MISSING
    low, high = wilson(sum(known), len(known), LEVEL)
    share = sum(known) / len(known)
    return Cell(f"{sum(known)} of {len(known)}", f"[{low:.2f}, {high:.2f}]", "" if all(known) else "broken", share)
