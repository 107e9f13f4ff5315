"""Several targets, limits, alarms, missing scores and decisions that no agent made, as the report shows them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from make_run import FACTS, HOSTILE, make_run

from lossagent.events import EVENTS, Decided, Scored
from lossagent.feedback import POOLED
from lossagent.report import read_run, write_report
from lossagent.report.decisions import cards
from lossagent.report.figures import courses, pareto_figures
from lossagent.report.gaming import findings
from lossagent.report.limits import rules
from lossagent.report.naming import metrics_of, styles_of
from lossagent.report.reading import RunData
from lossagent.report.tables import set_tables


def regoal(run: Path, **goal: object) -> Path:
    file = run / "experiment.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["goal"] = {**settings["goal"], **goal}
    file.write_text(yaml.safe_dump(settings))
    return run


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunData, RunData]:
    """A run with two targets and two limits, one of them relative to the fixed run; and that fixed run."""
    root = tmp_path_factory.mktemp("goals")
    run = regoal(
        make_run(root / "llm", pictures=False),
        targets=[
            {"metric": "niqe", "direction": "lower", "unit": 0.1},
            {"metric": "perceptual_distance", "direction": "lower", "unit": 0.01, "importance": 2.0},
        ],
        constraints=[
            {"metric": "psnr", "at_least": -0.2, "relative_to": "start"},
            {"metric": "lattice_peak", "at_most": 0.6, "relative_to": "fixed"},
        ],
    )
    fixed = make_run(root / "fixed", "fixed", pictures=False)
    return read_run(run), read_run(fixed)


def rewrite(run: Path, change) -> None:
    log = run / "events.jsonl"
    events = [change(EVENTS.validate_json(line)) for line in log.read_text().splitlines()]
    log.write_text("".join(e.model_dump_json() + "\n" for e in events))


def test_metrics_are_called_what_the_goal_makes_of_them(both):
    metrics = metrics_of(both)
    assert [(m.name, m.role) for m in metrics.values()] == [
        ("niqe", "objective"),
        ("perceptual_distance", "objective"),
        ("psnr", "constraint"),
        ("lattice_peak", "constraint"),
    ]


def test_limits_are_kept_or_missed_with_figures(both):
    run, fixed = both
    missed, beside = rules(run, fixed, metrics_of(both))
    assert missed.text == "psnr stays at least the start's score − 0.2"
    assert [limit.place for limit in missed.limits] == ["test", "selection", "feedback"]
    assert {limit.word for limit in missed.limits} == {"missed"}
    assert "below the limit of" in missed.limits[0].text
    assert {limit.word for limit in beside.limits} <= {"kept", "missed", "not known"}
    alone = rules(run, None, metrics_of((run,)))[1]
    assert {limit.word for limit in alone.limits} == {"not known"}
    assert "fixed run at this depth has no score" in alone.limits[0].text


def test_a_limit_is_told_after_every_stage(both):
    run, fixed = both
    for card in cards(run, metrics_of(both), fixed=fixed):
        state = run.trajectory.states[card.state]
        assert state.feedback is not None
        start = run.trajectory.start.feedback
        assert start is not None
        holds = (state.feedback.mean("psnr") or 0) >= (start.mean("psnr") or 0) - 0.2
        assert card.limits[0].word == ("kept" if holds else "missed")


def test_alarms_are_those_of_the_run_and_of_each_set(both):
    run, fixed = both
    metrics = metrics_of(both)
    found = [f for f in findings(run, metrics, fixed=fixed) if f.level == "alarm"]
    (psnr,) = [f for f in found if f.text.startswith("psnr")]
    assert psnr.text == "psnr fell beyond its noise while the objective rose: the objective may be played."
    assert [name for name, _ in psnr.figures] == ["test", "selection", "feedback"]
    assert "the utility rose by " in psnr.figures[0][1]
    assert "95 % interval" in psnr.figures[0][1]
    (along,) = [f for f in findings(run, metrics, fixed=fixed) if "trained states raised" in f.text]
    raised = [c.state for c in cards(run, metrics, fixed=fixed) if c.alarms]
    assert along.text.startswith(f"{len(raised)} of 8 ")
    assert along.figures[0][0] == f"S{raised[0]}"
    claimed = findings(run, metrics, fixed=fixed, intervals=False)
    assert not any("psnr" in f.text for f in claimed if f.level == "alarm")
    assert not any(c.alarms for c in cards(run, metrics, fixed=fixed, intervals=False))


def test_a_run_that_goes_on_is_judged_by_what_was_recorded_as_it_began(tmp_path):
    run = regoal(make_run(tmp_path / "run", evaluated=False, pictures=False, finished=False), constraints=[])
    assert not any(c.alarms for c in cards(read_run(run), metrics_of([read_run(run)])))  # nothing is known of guards
    file = run / "environment.json"
    recorded = json.loads(file.read_text())
    recorded["metrics"] = {name: facts.model_dump(mode="json") for name, facts in FACTS.items()}
    recorded["ceiling"] = {"niqe": 6.5}
    file.write_text(json.dumps(recorded))
    read = read_run(run)
    last = cards(read, metrics_of([read]))[-1]
    assert any("while psnr fell by" in text for text in last.alarms)
    assert any("beyond the 6.50 of the ground truth itself" in text for text in last.alarms)


def test_states_lie_in_the_plane_of_what_was_traded(both):
    run, fixed = both
    figures = pareto_figures(courses(both, styles_of(both)), metrics_of(both), fixed)
    assert [f.name for f in figures] == [f"pareto-niqe-{m}" for m in ("perceptual_distance", "psnr", "lattice_peak")]
    alt = figures[1].alt
    assert "9 states" in alt
    assert "Beaten by no other state in both: S0, " in alt
    assert "Limit: psnr at least " in alt
    assert "Selected, S" in alt
    assert "Ground truth: niqe " in alt
    ahead = alt.split("in both: ")[1].split(".")[0].split(", ")
    means = {s.id: (s.feedback.mean("niqe"), -s.feedback.mean("psnr")) for s in run.trajectory.scored}
    better = [
        i for i, (x, y) in means.items()
        if not any((a <= x and b <= y) and (a, b) != (x, y) for a, b in means.values())
    ]  # fmt: skip
    assert ahead == [f"S{i}" for i in sorted(better)]


def test_a_single_target_is_shown_against_guards_and_a_wish_against_nothing(tmp_path):
    run = regoal(make_run(tmp_path / "run", pictures=False), constraints=[], wish=None)
    one = read_run(run)
    figures = pareto_figures(courses([one], styles_of([one])), metrics_of([one]), None)
    assert [f.name for f in figures] == ["pareto-niqe-psnr", "pareto-niqe-perceptual_distance"]
    wish = read_run(regoal(run, targets=[], wish="no plastic skin"))
    assert pareto_figures(courses([wish], styles_of([wish])), metrics_of([wish]), None) == ()
    proxy = read_run(regoal(run, targets=[], wish="x", proxy=[{"metric": "niqe", "direction": "lower", "unit": 0.1}]))
    assert len(pareto_figures(courses([proxy], styles_of([proxy])), metrics_of([proxy]), None)) == 2
    assert metrics_of([proxy])["niqe"].role == "proxy"


def test_missing_scores_and_their_reasons_stand_in_the_cards_and_tables(tmp_path):
    run = make_run(tmp_path / "run", evaluated=False, pictures=False, finished=False)

    def change(event):
        if not isinstance(event, Scored) or event.state not in (2, 8):
            return event
        scores = {m: dict(s) for m, s in event.feedback.scores.items()}
        if event.state == 2:
            scores["niqe"] = dict.fromkeys(scores["niqe"])
        else:
            scores["niqe"][next(iter(scores["niqe"]))] = math.nan
            scores["preference"] = {POOLED: 0.7}
        problems = {"niqe": f"metric niqe: {HOSTILE}"}
        update = {"scores": scores, "problems": problems}
        return event.model_copy(update={"feedback": event.feedback.model_copy(update=update)})

    rewrite(run, change)
    read = read_run(run)
    shown = {c.state: c for c in cards(read, metrics_of([read]))}
    assert "niqe ↓ no score" in shown[2].scores
    assert shown[2].problems == (("niqe", f"metric niqe: {HOSTILE}"),)
    (table,) = set_tables([read], styles_of([read]), metrics_of([read]), intervals=True)
    row = next(r for r in table.rows if r.reported)
    assert row.cells[0].lacking == "of 9 of 10 images"
    assert table.images == 10
    html = write_report([run], tmp_path / "page.html").read_text()
    assert HOSTILE not in html
    assert "metric niqe: &lt;script&gt;" in html
    assert "of 9 of 10 images" in html


def test_who_decided_and_what_was_known(tmp_path):
    run = make_run(tmp_path / "run", evaluated=False, pictures=False)
    said = {
        2: {"author": "human", "adjusted_by": ("undo",), "judged": 12, "thoughts": "Anna set the weights."},
        3: {"author": "deadline", "adjusted_by": ("unanswered",), "judged": 1},
    }

    def change(event):
        if not isinstance(event, Decided) or event.state not in said:
            return event
        return event.model_copy(update={"decision": event.decision.model_copy(update=said[event.state])})

    rewrite(run, change)
    read = read_run(run)
    shown = {c.state: c for c in cards(read, metrics_of([read]))}
    assert shown[1].author == "The initial weights"
    assert shown[2].author == "A person decided by hand"
    assert shown[2].judged == "12 answers of people were known"
    assert shown[2].adjustments == ("a person went back to an earlier state",)
    assert shown[3].author == "The deadline decided"
    assert shown[3].judged == "1 answer of people was known"
    assert shown[3].adjustments == ("nobody answered before the deadline: the weights stay",)
    html = write_report([run], tmp_path / "page.html").read_text()
    assert "12 answers of people were known" in html


def test_the_page_of_two_targets_shows_them_all(both, tmp_path):
    html = write_report([run.path for run in both], tmp_path / "page.html").read_text()
    assert 'id="limits"' in html
    assert html.count('class="line"') == 2
    assert "constraint, higher wanted" in html
    assert "Lower niqe (a change of 0.1 counts one point) and lower perceptual_distance" in html
    assert (tmp_path / "figures" / "pareto-niqe-psnr.png").read_bytes().startswith(b"\x89PNG")
