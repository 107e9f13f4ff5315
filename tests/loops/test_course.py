"""Stages of a loop of one's own: when they end, what is told, how they go on."""

import math

import pytest
import torch
from little_loop import Loop
from safetensors.torch import load_file

import lossagent
from lossagent import Every, Snapshots
from lossagent.errors import Refused


def test_stages_end_by_steps_and_everything_is_told(tmp_path):
    trajectory = Loop(tmp_path / "run").run(Every(steps=5))
    assert [s.depth for s in trajectory.states] == [0, 1, 2, 3, 4]
    assert [s.report.iterations for s in trajectory.states] == [0, 5, 5, 5, 5]
    assert set(trajectory.last.report.losses) == {"near", "far"}
    assert set(trajectory.last.report.evidence.image_norms) == {"near", "far"}
    assert trajectory.states[2].weights != trajectory.states[1].weights


def test_stages_end_by_epochs_and_by_seconds(tmp_path, monkeypatch):
    loop = Loop(tmp_path / "epochs")
    with loop.course(Every(epochs=2)) as course:
        ends = []
        while not course.over:
            loop.step()
            assert not course.step()
            ends.append(course.epoch())
    assert ends == [False, True] * 4
    now = [0.0]
    monkeypatch.setattr("lossagent.loops.course.time.monotonic", lambda: now[0])
    loop = Loop(tmp_path / "seconds", stages=2)
    with loop.course(Every(seconds=10)) as course:
        ends = []
        while not course.over:
            now[0] += 4
            ends.append(course.step())
    assert ends == [False, False, True] * 2


def test_a_fixed_agent_trains_as_a_plain_loop_does(tmp_path):
    steered = Loop(tmp_path / "run", agent="fixed")
    steered.run(Every(steps=3))
    plain = Loop(tmp_path / "plain", agent="fixed")
    for _ in range(12):
        plain.step()
    assert torch.equal(steered.net.place, plain.net.place)


def test_a_loop_started_again_goes_on_after_its_last_whole_stage(tmp_path):
    whole = Loop(tmp_path / "whole")
    expected = whole.run(Every(steps=4), snapshots=Snapshots(tmp_path / "w", net=whole.net, opt=whole.optimizer))
    cut = Loop(tmp_path / "cut")
    with cut.course(Every(steps=4), snapshots=Snapshots(tmp_path / "c", net=cut.net, opt=cut.optimizer)) as course:
        for _ in range(10):  # two stages and a half
            cut.step()
            course.step()
    again = Loop(tmp_path / "cut")
    trajectory = again.run(Every(steps=4), snapshots=Snapshots(tmp_path / "c", net=again.net, opt=again.optimizer))
    assert [s.feedback for s in trajectory.states] == [s.feedback for s in expected.states]
    assert [s.weights for s in trajectory.states] == [s.weights for s in expected.states]
    assert torch.equal(again.net.place, whole.net.place)


def test_a_fresh_network_does_not_go_on_where_another_was(tmp_path):
    Loop(tmp_path / "run").run(Every(steps=3))
    again = Loop(tmp_path / "run")
    with pytest.raises(Refused, match=r"at state 4, and this network was never there.*load_state_dict.*snapshots"):
        again.course(Every(steps=3)).begin()
    again.steering.close()


def test_a_loop_with_checkpoints_of_its_own_goes_on_inside_a_stage(tmp_path):
    whole = Loop(tmp_path / "whole")
    expected = whole.run(Every(steps=4))
    cut = Loop(tmp_path / "cut")
    with cut.course(Every(steps=4)) as course:
        for number in range(13):
            cut.step()
            course.step()
            if number == 5:  # one stage and two steps: then seven more steps are lost
                own = {
                    "net": cut.net.state_dict(),
                    "optimizer": cut.optimizer.state_dict(),
                    "course": course.state_dict(),
                }
                torch.save(own, tmp_path / "own.pt")
    own = torch.load(tmp_path / "own.pt", weights_only=True)
    again = Loop(tmp_path / "cut")
    again.net.load_state_dict(own["net"])
    again.optimizer.load_state_dict(own["optimizer"])
    course = again.course(Every(steps=4))
    course.load_state_dict(own["course"])
    with course:
        while not course.over:
            again.step()
            course.step()
    trajectory = again.steering.trajectory
    path = [s for s in trajectory.states if s.feedback is not None]
    assert [s.weights for s in path] == [s.weights for s in expected.states]
    assert torch.equal(again.net.place, whole.net.place)


def test_a_checkpoint_stays_that_of_the_scores_on_record(tmp_path):
    loop = Loop(tmp_path / "run")
    loop.run(Every(steps=4), snapshots=Snapshots(tmp_path / "kept", net=loop.net))
    place = loop.net.place.detach().clone()
    again = Loop(tmp_path / "run")
    again.net.place.data += 3  # another network, which says that it is S_0
    course = again.course(Every(steps=4), snapshots=Snapshots(tmp_path / "kept", net=again.net))
    course.load_state_dict({**course.state_dict(), "at": 0})
    with course:
        while not course.over:
            again.step()
            course.step()
    Snapshots(tmp_path / "kept", net=again.net).load(4)
    assert torch.equal(again.net.place, place)


def test_a_rollback_brings_the_parts_back(tmp_path):
    loop = Loop(tmp_path / "run", agent={"kind": "random", "rollback": True, "spread": 8.0}, can_restart=True, stages=8)
    folder = tmp_path / "run" / "checkpoints"
    with loop.course(Every(steps=6), snapshots=Snapshots(folder, net=loop.net, opt=loop.optimizer)) as course:
        new = True
        while not course.over:
            if new:
                saved = load_file(folder / f"state-{course.stage.parent:04d}" / "tensors.safetensors")
                assert torch.equal(loop.net.place, saved["net.place"])
            loop.step()
            new = course.step()
    assert any(s.parent != s.id - 1 for s in loop.steering.trajectory.states[1:])


@pytest.mark.parametrize(
    "given", [{}, {"steps": 1, "epochs": 1}, {"steps": 0}, {"seconds": -1.0}, {"seconds": math.inf}]
)
def test_a_length_that_makes_no_sense_is_refused(given):
    with pytest.raises(Refused, match="stage"):
        Every(**given)


def test_what_a_course_needs_is_said_at_once(tmp_path):
    loop = Loop(tmp_path / "run", agent={"kind": "random", "rollback": True}, can_restart=True)
    with pytest.raises(Refused, match="snapshots"):
        loop.course(Every(steps=1))
    with pytest.raises(Refused, match="exactly one"):
        lossagent.Course(loop.steering, Every(steps=1))
    course = Loop(tmp_path / "other").course(Every(steps=1))
    with pytest.raises(Refused, match="not begun"):
        course.step()
    with pytest.raises(Refused, match="found -1"):
        course.step(-1)
    with pytest.raises(Refused, match="missing: at, epochs, inside"):
        course.load_state_dict({"steps": 1})
