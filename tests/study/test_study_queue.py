"""Who has which run: claimed once, freed when its worker is dead, in a journal file or a database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest

from lossagent.errors import Failed, MissingPackage, Refused
from lossagent.study.jobs import Job
from lossagent.study.presence import Presence
from lossagent.study.queue import Claim, Queue, open_queue

JOBS = tuple(Job("arm", "goal", seed) for seed in range(4))


@pytest.fixture(params=["journal", "sqlite"])
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Queue]]:
    """Makes one more worker of a study."""
    storage = f"sqlite:///{tmp_path / 'queue.db'}" if request.param == "sqlite" else None
    made: list[Queue] = []

    def make() -> Queue:
        made.append(open_queue(tmp_path, "study", Presence(tmp_path), storage, stale=0.3))
        return made[-1]

    yield make
    for queue in made:
        queue.presence.leave()
        queue.close()


def never(job: Job) -> bool:
    del job
    return False


def taken(queue: Queue, jobs: tuple[Job, ...] = JOBS) -> Claim:
    claim = queue.claim(jobs, never)
    assert claim is not None
    return claim


def killed(queue: Queue) -> None:
    """What a SIGKILL leaves: the operating system has let go of the lock, nobody has said good-bye."""
    queue.presence.drop()


def test_each_run_is_claimed_once_in_order(worker: Callable[[], Queue]) -> None:
    one, two = worker(), worker()
    assert [taken(q).job.seed for q in (one, two, two, one)] == [0, 1, 2, 3]
    assert one.claim(JOBS, never) is None


def test_many_workers_at_once(worker: Callable[[], Queue]) -> None:
    jobs = tuple(Job("arm", "goal", seed) for seed in range(12))
    found: list[Job] = []
    over = time.monotonic() + 60

    def work(queue: Queue) -> None:
        while len(found) < len(jobs) and time.monotonic() < over:
            if (claim := queue.claim(jobs, lambda job: job in found)) is not None:
                found.append(claim.job)
                queue.finish(claim, 1.0)

    threads = [threading.Thread(target=work, args=(worker(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=lambda job: job.seed) == list(jobs)


def test_a_dead_workers_run_is_free_at_once(worker: Callable[[], Queue]) -> None:
    one, two = worker(), worker()
    taken(one)
    assert two.bury() == []
    killed(one)
    assert two.bury() == [JOBS[0].key]
    again = taken(two)
    assert (again.job, again.earlier) == (JOBS[0], 0), "to be killed is no failure of the run"


def test_silence_on_another_machine(worker: Callable[[], Queue], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.setattr("platform.node", lambda: "far-away")
        far = worker()
    here = worker()
    claim = taken(far)
    for _ in range(4):
        far.beat(claim)
        assert here.bury() == []
        time.sleep(0.15)
    assert here.bury() == []
    time.sleep(0.4)
    assert here.bury() == [JOBS[0].key]
    far.finish(claim, 1.0)  # it was alive after all: nothing breaks


def test_failures_are_counted_and_what_was_given_back_is_none(worker: Callable[[], Queue]) -> None:
    queue = worker()
    queue.give_back(taken(queue))
    queue.fail(taken(queue), "no space left")
    claim = taken(queue)
    assert (claim.job, claim.earlier) == (JOBS[0], 1)


def test_a_run_that_is_done_or_not_wanted_is_passed_over(worker: Callable[[], Queue]) -> None:
    queue = worker()
    assert queue.claim(JOBS[:1], lambda job: True) is None
    assert taken(queue, JOBS[2:]).job == JOBS[2]


def test_of_two_entries_for_a_run_the_earlier_one_has_it(worker: Callable[[], Queue]) -> None:
    one, two = worker(), worker()
    for queue in (one, two):  # both had looked before either wrote
        queue.store.enqueue_trial({}, user_attrs={"job": JOBS[0].key})
    claims = [q.claim(JOBS[:1], never) for q in (one, two, one, two)]
    assert sum(claim is not None for claim in claims) == 1


def test_the_queue_may_be_deleted(tmp_path: Path) -> None:
    presence = Presence(tmp_path)
    first = open_queue(tmp_path, "study", presence)
    first.finish(taken(first), 1.0)
    (tmp_path / "journal.log").unlink()
    second = open_queue(tmp_path, "study", presence)
    claim = second.claim(JOBS, lambda job: job == JOBS[0]) or second.claim(JOBS[1:], never)
    assert claim is not None
    assert claim.job == JOBS[1]
    presence.leave()


def test_a_journal_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    open_queue(tmp_path, "study", Presence(tmp_path))
    journal = tmp_path / "journal.log"
    journal.write_bytes(b'{"torn": \n' + journal.read_bytes())
    with pytest.raises(Failed, match=r"journal.log cannot be read .* stop all workers, delete it"):
        open_queue(tmp_path, "study", Presence(tmp_path))


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/queue.db", "oracle-of-delphi://x"])
def test_a_database_that_cannot_be_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused, match=r"--storage .*(sqlite|oracle)"):
        open_queue(tmp_path, "study", Presence(tmp_path), url)


def test_optuna_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[search\]'"):
        open_queue(tmp_path, "study", Presence(tmp_path))


def test_optuna_may_announce_studies_as_before(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    level = optuna.logging.get_verbosity()
    open_queue(tmp_path, "study", Presence(tmp_path)).close()
    assert optuna.logging.get_verbosity() == level == optuna.logging.INFO
    assert capfd.readouterr() == ("", "")
