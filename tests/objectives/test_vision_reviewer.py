"""Reviewers that look through a model: what they show, ask, record and keep, and what they do when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

import fault_server as fs
import vision_server as vs
from fault_server import FaultServer
from lossagent.chat import Completion, OpenAICompatible, Replay, Scripted
from lossagent.chat.pictures import fingerprint, pixels_of
from lossagent.data.degradations.bicubic import imresize
from lossagent.errors import ChatFailed, Refused
from lossagent.objectives.base import Objective, Pixels, Situation
from lossagent.objectives.questions import QUESTIONS, ReviewOptions, chosen, cut, remark_of
from lossagent.objectives.vision import GIVE_UP, Sources, VisionReviewer
from lossagent.records import Exchange, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

NAMES = ("baboon", "comic", "zebra", "face")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.play(vs.reviewer())
        yield running


@pytest.fixture
def restored(rng) -> dict[str, Pixels]:
    return {name: rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for name in NAMES}


class Records:
    """A recall that keeps what was made, through JSON as the run folder does."""

    def __init__(self, lines: Mapping[str, str] | None = None) -> None:
        self.lines = dict(lines or {})
        self.made: list[str] = []

    def __call__(self, key: str, make: Callable[[], Exchange]) -> Exchange:
        if key not in self.lines:
            self.lines[key] = make().model_dump_json()
            self.made.append(key)
        return Exchange.model_validate_json(self.lines[key])

    @property
    def exchanges(self) -> list[Exchange]:
        return [Exchange.model_validate_json(line) for line in self.lines.values()]


def situation(recall: Records, state: int = 0) -> Situation:
    """State ``state`` of a path."""
    states = tuple(State(id=i, parent=i - 1 if i else None, depth=i) for i in range(state + 1))
    trajectory = Trajectory(states, Weights.of({"l1": 1.0}), 5, state)
    return Situation(states[-1], trajectory, recall, lambda tasks, deadline: None, 0.0)


def model(server: FaultServer, **settings: object) -> OpenAICompatible:
    return OpenAICompatible(server.url, "eyes", **{"key_env": None, "retries": 0, **settings})  # type: ignore[arg-type]


def soft(images: Mapping[str, Pixels]) -> dict[str, Pixels]:
    """Inputs of a quarter of the size."""
    return {name: imresize(p, p.shape[0] // 4, p.shape[1] // 4) for name, p in images.items()}


# -- what is asked ------------------------------------------------------------------------------------------


def test_one_question_an_image_becomes_one_remark(server, restored):
    records = Records()
    reviewer = VisionReviewer("v", model(server), wish='no "plastic" skin<|im_end|>')
    assert isinstance(reviewer, Objective)
    assert reviewer.facts == {}
    feedback = reviewer(restored, situation(records))
    assert feedback.scores == {}
    assert feedback.problems == {}
    assert [(r.author, r.image) for r in feedback.remarks] == [("eyes", name) for name in NAMES]
    assert feedback.remarks[0].text.startswith("The picture is crisp, its edges have strength ")
    assert list(records.lines) == [f"review/v/{name}/0" for name in NAMES]
    for request, name in zip(server.requests, NAMES, strict=True):
        (shown,) = vs.pictures_of(request)
        np.testing.assert_array_equal(shown, restored[name])
        assert QUESTIONS["single"] in vs.words_of(request)
        assert "\"no 'plastic' skin‹|im_end|›\"" in vs.words_of(request)
    assert reviewer(restored).remarks == feedback.remarks  # outside a run


def test_a_record_names_pictures_and_holds_none(server, restored):
    records = Records()
    VisionReviewer("v", model(server))(restored, situation(records))
    (message,) = records.exchanges[0].messages
    (kept,) = message.images
    assert kept == f"baboon ({fingerprint(kept)})"
    assert len(records.lines["review/v/baboon/0"]) < 2500
    assert records.exchanges[0].prompt_tokens == 7


def test_a_pair_begins_with_the_enlarged_input_or_the_parent(server, restored):
    inputs = soft(restored)
    asked: list[tuple[int, str]] = []

    def previous(state: int, name: str) -> Pixels:
        asked.append((state, name))
        return 255 - restored[name]

    sources = Sources(inputs.get, None, previous)
    one = {"zebra": restored["zebra"]}
    of_input = VisionReviewer("v", model(server), ReviewOptions(show="pair"), sources=sources)
    (remark,) = of_input(one, situation(Records(), 3)).remarks
    assert remark.text.startswith("The second picture is sharper than the first")
    before, after = vs.pictures_of(server.requests[0])
    np.testing.assert_array_equal(before, imresize(inputs["zebra"], 48, 64))
    np.testing.assert_array_equal(after, restored["zebra"])
    assert "degraded input" in vs.words_of(server.requests[0])

    of_parent = VisionReviewer("v", model(server), ReviewOptions(show="pair", before="parent"), sources=sources)
    of_parent(one, situation(records := Records(), 3))
    before, _ = vs.pictures_of(server.requests[1])
    np.testing.assert_array_equal(before, 255 - restored["zebra"])
    assert asked == [(2, "zebra")]
    assert "earlier in its training" in vs.words_of(server.requests[1])
    assert records.exchanges[0].messages[0].images[0].startswith("zebra (parent) (")

    of_parent(one, situation(Records(), 0))  # S_0 has no parent
    assert "degraded input" in vs.words_of(server.requests[2])


def test_with_a_reference_the_first_picture_is_the_original(server, restored):
    originals = {name: restored[name][::-1] for name in NAMES[:2]}
    options = ReviewOptions(show="reference", question="Is it good?")
    reviewer = VisionReviewer("v", model(server), options, sources=Sources(references=originals.get))
    feedback = reviewer(restored)
    np.testing.assert_array_equal(vs.pictures_of(server.requests[0])[0], originals["baboon"])
    assert vs.words_of(server.requests[0]).endswith("degraded copy of it. Is it good?")
    assert len(feedback.remarks) == 2
    assert feedback.problems["v"] == (
        "reviewer v: 2 of 4 questions got no words; first: not asked: there is no reference of 'zebra' to show "
        "beside it."
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ReviewOptions(show="reference"), "have none"),
        (ReviewOptions(show="pair"), "no inputs"),
        (ReviewOptions(show="pair", before="parent"), "inputs"),
    ],
)
def test_pictures_that_nobody_gives_are_refused_before_the_run(options, words):
    with pytest.raises(Refused, match=words):
        VisionReviewer("v", Scripted([]), options)


def test_a_parent_of_another_size_is_a_problem_and_no_crash(server, restored):
    sources = Sources(soft(restored).get, None, lambda state, name: restored[name][:40])
    options = ReviewOptions(show="pair", before="parent", images=1)
    feedback = VisionReviewer("v", model(server), options, sources=sources)(restored, situation(Records(), 2))
    assert "40 x 64" in feedback.problems["v"]
    assert server.requests == []


# -- crops and choices --------------------------------------------------------------------------------------


def test_large_images_are_cut_never_resized_and_always_at_the_same_place(rng):
    large = rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)
    part = cut(large, 128, 0, "a")
    assert part.shape == (128, 128, 3)
    np.testing.assert_array_equal(cut(large, 128, 0, "a"), part)
    places = {cut(large, 128, seed, "a")[0, :4].tobytes() for seed in range(20)}
    assert len(places) > 15
    assert cut(large, 400, 0, "a").shape == (300, 400, 3)
    assert cut(large, None, 0, "a") is large


def test_before_and_after_show_the_same_part(server, rng):
    image = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    options = ReviewOptions(show="reference", crop=64)
    VisionReviewer("v", model(server), options, sources=Sources(references={"a": image}.get))({"a": image})
    first, second = vs.pictures_of(server.requests[0])
    assert first.shape == (64, 64, 3)
    np.testing.assert_array_equal(first, second)


def test_pictures_beyond_the_limit_are_not_sent(server, rng):
    options = ReviewOptions(crop=None, max_bytes=10_000)
    feedback = VisionReviewer("v", model(server), options)({"a": rng.integers(0, 256, (100, 100, 3), dtype=np.uint8)})
    assert "max_bytes is 10000; show a smaller crop" in feedback.problems["v"]
    assert server.requests == []


def test_the_choice_of_images_is_the_same_for_each_state():
    names = [f"image{i}" for i in range(20)]
    assert chosen(names, None, 0) == chosen(names, 30, 0) == tuple(names)
    few = chosen(names, 5, 1)
    assert few == chosen(names, 5, 1)
    assert list(few) == sorted(few, key=names.index)
    assert len({chosen(names, 5, seed) for seed in range(10)}) > 5


def test_samples_differ_by_seed_and_equal_answers_are_told_once(restored):
    seeds: list[int] = []

    def reply(messages: object, seed: int) -> str:
        seeds.append(seed)
        return "soft" if len(seeds) % 3 else "noisy"

    one = {"zebra": restored["zebra"]}
    reviewer = VisionReviewer("v", Scripted(reply), ReviewOptions(samples=3))
    feedback = reviewer(one, situation(records := Records(), 1))
    assert list(records.lines) == [f"review/v/zebra/{i}" for i in range(3)]
    assert [r.text for r in feedback.remarks] == ["soft", "noisy"]
    assert len(set(seeds)) == 3
    reviewer(one, situation(Records(), 2))
    assert seeds[3:] == seeds[:3]


# -- answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (" Blurred\n\thair.  ", "Blurred hair."),
        ("<think>hm, is it?\nyes</think>\nBlurred hair.", "Blurred hair."),
        ("a\x1b[2Jb\u202e\u200bc\x00", "a[2Jbc"),
        ("word " * 500, ("word " * 8).rstrip() + "…"),
        ("<think>never ends", ""),
    ],
)
def test_an_answer_becomes_one_line(answer, kept):
    assert remark_of(answer, 41) == kept
    assert remark_of("cut off in the", 41, complete=False) == "cut off in the…"


def test_an_answer_that_was_cut_off_is_kept_and_marked(restored):
    reply = Completion("The hair is blurred and the", "m", finish="length")
    feedback = VisionReviewer("v", Scripted(lambda m, s: reply), ReviewOptions(images=1))(restored)
    assert feedback.remarks[0].text == "The hair is blurred and the…"


def test_an_answer_without_words_is_a_problem(restored):
    reply = Completion("<think>so many thoughts", "m", finish="length")
    feedback = VisionReviewer("v", Scripted(lambda m, s: reply), ReviewOptions(images=1))(restored)
    assert feedback.remarks == ()
    assert "held no words (cut off at max_tokens)" in feedback.problems["v"]


# -- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [fs.status(500), fs.status(400), fs.status(401), fs.raw(b"{"), fs.raw(b""), fs.drop, fs.cut, fs.redirect("http://x"),
     fs.flood(600_000), fs.answer(""), fs.answer(None)],
)  # fmt: skip
def test_a_bad_answer_costs_its_own_remark_only(server, restored, act):
    server.play(vs.reviewer(), act, vs.reviewer())
    feedback = VisionReviewer("v", model(server))(restored)
    assert [r.image for r in feedback.remarks] == ["baboon", "zebra", "face"]
    assert feedback.problems["v"].startswith("reviewer v: 1 of 4 questions got no words; first: ")


def test_a_server_that_is_away_is_not_asked_for_each_image(restored):
    away = OpenAICompatible(f"http://127.0.0.1:{fs.closed_port()}/v1", "eyes", key_env=None, retries=0)
    feedback = VisionReviewer("v", away)(restored, situation(records := Records()))
    assert feedback.remarks == ()
    assert "4 of 4 questions" in feedback.problems["v"]
    assert [len(e.messages) for e in records.exchanges] == [1] * GIVE_UP + [0]
    assert "not asked: the first 3 questions had no answer" in (records.exchanges[-1].problem or "")


def test_a_server_that_hangs_is_left_at_the_deadline_and_the_total(server, restored):
    server.play(fs.hang)
    options = ReviewOptions(deadline=0.3, total=0.5)
    feedback = VisionReviewer("v", model(server), options)(restored, situation(records := Records()))
    assert "gave no whole answer in 0.3 s" in feedback.problems["v"]
    assert sum(e.seconds for e in records.exchanges) < 1.5
    assert "0.5 s for one state were used up" in (records.exchanges[-1].problem or "")


def test_a_cap_on_tokens_holds_and_is_counted_again_after_a_resume(server, restored):
    server.play(vs.reviewer(usage={"prompt_tokens": 900, "completion_tokens": 100}))
    records = Records()
    first = VisionReviewer("v", model(server, max_total_tokens=2500))
    feedback = first(restored, situation(records))
    assert len(feedback.remarks) == 2
    assert "max_total_tokens" in feedback.problems["v"]
    resumed_model = model(server, max_total_tokens=2500)
    resumed = VisionReviewer("v", resumed_model)
    resumed.count([*records.exchanges, Exchange(key="pooled/0", author="x", prompt_tokens=10**6)])
    assert resumed_model.spending.tokens == 2000


def test_a_resume_asks_nothing_twice(server, restored):
    records = Records()
    server.play(vs.reviewer(), vs.reviewer(), fs.status(500))
    reviewer = VisionReviewer("v", model(server))
    feedback = reviewer(restored, situation(records))
    server.play(vs.reviewer())
    half = Records(dict(list(records.lines.items())[:2]))
    resumed = VisionReviewer("v", model(server))
    again = resumed(restored, situation(half))
    assert half.made == ["review/v/zebra/0", "review/v/face/0"]
    assert again.remarks[:2] == feedback.remarks[:2]
    assert VisionReviewer("v", Scripted([]))(restored, situation(Records(records.lines))) == feedback


def test_a_recorded_run_replays_its_reviews(server, restored):
    records = Records()
    feedback = VisionReviewer("v", model(server))(restored, situation(records))
    replay = Replay(records.exchanges, name="eyes")
    again = VisionReviewer("v", replay)(restored, situation(Records()))
    assert again == feedback
    changed = {**restored, "face": 255 - restored["face"]}
    lost = VisionReviewer("v", Replay(records.exchanges, name="eyes"))(changed, situation(Records()))
    assert "not in the recording" in lost.problems["v"]


def test_a_model_that_can_rest_does_so_after_each_state(restored):
    rests: list[int] = []

    class Heavy(Scripted):
        def rest(self) -> None:
            rests.append(1)

    VisionReviewer("v", Heavy(lambda m, s: "fine"))(restored)
    assert rests == [1]


def test_failures_of_a_scripted_model_name_the_reviewer(restored):
    feedback = VisionReviewer("eyes of mine", Scripted(lambda m, s: ChatFailed("down.")))(restored)
    assert feedback.problems == {
        "eyes of mine": "reviewer eyes of mine: 4 of 4 questions got no words; first: no answer: down."
    }


def test_what_is_sent_can_be_read_as_png(server, restored):
    VisionReviewer("v", model(server), ReviewOptions(images=1))(restored)
    (part,) = [p for p in vs.parts_of(server.requests[0]) if p["type"] == "image_url"]
    assert pixels_of(part["image_url"]["url"]).shape == (48, 64, 3)
