"""Courses that somebody holds up, and checkpoints that lie elsewhere than the run."""

import pytest
from little_loop import Loop

from lossagent import Every, Snapshots
from lossagent.errors import Refused, Waiting
from lossagent.letters import GoOn, Pause, Undo
from lossagent.mailbox import post


def test_a_paused_course_asks_again_and_its_checkpoint_lies_behind_the_stage_that_was_told(tmp_path):
    loop = Loop(tmp_path / "run")
    with loop.course(Every(steps=3)) as course:
        post(tmp_path / "run", Pause(author="me"))
        for _ in range(2):
            loop.step()
            assert not course.step()
        loop.step()
        with pytest.raises(Waiting):
            course.step()
        assert course.state_dict() | {"seconds": 0} == {"at": 1, "inside": None, "steps": 0, "epochs": 0, "seconds": 0}
        assert not course.over
        with pytest.raises(Waiting):
            course.step(0)
        post(tmp_path / "run", GoOn(author="me"))
        course.step(0)
        assert course.stage.state == 2
        while not course.over:
            loop.step()
            course.step()
    assert [s.report.iterations for s in loop.steering.trajectory.states] == [0, 3, 3, 3, 3]


def test_a_course_that_is_held_up_before_its_first_stage_begins_later(tmp_path):
    loop = Loop(tmp_path / "run", stages=1)
    post(tmp_path / "run", Pause(author="me"))
    course = loop.course(Every(steps=1))
    with pytest.raises(Waiting):
        course.begin()
    post(tmp_path / "run", GoOn(author="me"))
    course.begin()
    assert course.stage.state == 1


def test_a_checkpoint_inside_another_stage_is_given_up_for_the_snapshot_of_where_the_next_one_starts(tmp_path):
    def begun():
        loop = Loop(tmp_path / "run", can_restart=True)
        snapshots = Snapshots(tmp_path / "snapshots", net=loop.net, optimizer=loop.optimizer)
        return loop, loop.course(Every(steps=4), snapshots=snapshots)

    loop, course = begun()
    with course:
        while course.steering.newest == 0:
            loop.step()
            if course.state_dict()["steps"] == 2:
                inside = course.state_dict()
                post(tmp_path / "run", Undo(author="me", state=0))
            course.step()
        assert course.stage.parent == inside["at"] == 0
        assert course.stage.state != inside["inside"]
    again, course = begun()
    course.load_state_dict(inside)
    with course:
        assert course.state_dict()["steps"] == 0
        assert again.net.place.abs().sum() == 0  # S_0


def test_a_checkpoint_of_a_run_that_is_gone_is_refused(tmp_path):
    loop = Loop(tmp_path / "run")
    with loop.course(Every(steps=3)) as course:
        for _ in range(4):
            loop.step()
            course.step()
        state = course.state_dict()
    course = Loop(tmp_path / "other").course(Every(steps=3))
    course.load_state_dict(state)
    with pytest.raises(Refused, match="goes on from state 1"):
        course.begin()
