"""What the describer says, of single images and of sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from describer_pictures import blurred, cast, checkerboard, eight_bit, jpeg, noisy, scene, sharpened

from lossagent.data.degradations.bicubic import bicubic, imresize
from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.judgements import Task
from lossagent.objectives import Objective
from lossagent.objectives.base import Pixels, Situation
from lossagent.objectives.describer import Describer
from lossagent.records import Exchange, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

SCENE = scene()
GRAY = np.repeat(SCENE[..., 1:2], 3, axis=2)


def nothing(name: str) -> None:
    del name


def against(reference: Pixels, restored: Pixels) -> str:
    """The sentence on one image with a reference."""
    feedback = Describer(nothing, lambda name: reference, None, 1)({"a": restored})
    assert not feedback.problems
    assert [r.image for r in feedback.remarks] == [None, "a"]
    assert {r.author for r in feedback.remarks} == {"describer"}
    return feedback.remarks[1].text


def situation(state: int, parent: int | None) -> Situation:
    def recall(key: str, make: Callable[[], Exchange]) -> Exchange:
        raise AssertionError((key, make))

    def ask(tasks: Sequence[Task], deadline: float | None) -> None:
        raise AssertionError((tasks, deadline))

    trajectory = Trajectory(states=(), initial=Weights.of({"l1": 1.0}), stages=1)
    return Situation(State(id=state, parent=parent, depth=state), trajectory, recall, ask, 0.0)


WORDS = {
    "blur": "softer",
    "noise": "added noise",
    "ringing": "overshoot",
    "blocking": "8-px blocks",
    "grid": "grid stands out",
    "colour": "colours are shifted",
    "lightness": "L*",
}


def called(text: str) -> set[str]:
    return {kind for kind, word in WORDS.items() if word.lower() in text.lower()}


def test_it_is_an_objective_without_scores() -> None:
    describer = Describer(nothing, nothing, None, 1)
    assert isinstance(describer, Objective)
    assert describer.facts == {}


def test_identical_images() -> None:
    assert against(SCENE, SCENE) == "No visible difference from the reference."


def test_blur_calls_for_nothing_but_the_blur() -> None:
    text = against(SCENE, blurred(SCENE, 1.0))
    assert called(text) == {"blur"}
    assert "% softer than in the reference" in text
    assert "fine texture keeps" in text
    assert text.endswith("no ringing, blocking, regular grid or colour shift.")


def test_noise_is_said_in_grey_levels() -> None:
    text = against(SCENE, noisy(SCENE, 5))
    assert called(text) == {"noise"}
    found = re.match(r"Added noise ([0-9.]+) grey levels \(reference 0\.0\); edges are as sharp as", text)
    assert found is not None, text
    assert float(found[1]) == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize(
    ("restored", "kinds"),
    [
        (jpeg(noisy(GRAY, 2), 10), {"blocking"}),
        (sharpened(SCENE), {"ringing"}),
        (checkerboard(SCENE, 2), {"grid"}),
        (cast(SCENE, 0, 0, 3), {"colour"}),
        (cast(SCENE, -4, -4, -4), {"lightness"}),
    ],
    ids=["jpeg", "sharpened", "checkerboard", "cast", "darker"],
)
def test_each_damage_is_named_and_no_other(restored: Pixels, kinds: set[str]) -> None:
    reference = GRAY if "blocking" in kinds else SCENE  # JPEG shifts colours as well.
    assert called(against(reference, restored)) - {"blur"} == kinds


def test_a_cast_has_a_size_and_a_direction() -> None:
    assert "dE towards blue" in against(SCENE, cast(SCENE, 0, 0, 3))
    assert "dE towards yellow" in against(SCENE, cast(SCENE, 0, 0, -3))


def test_too_strong_texture_is_not_called_smooth() -> None:
    text = against(SCENE, sharpened(SCENE))
    assert "times its energy" in text
    assert "over-smoothed" not in text
    assert "over-smoothed" in against(SCENE, blurred(SCENE, 2)).lower()


def test_faults_come_first_and_the_worst_before_the_others() -> None:
    text = against(SCENE, cast(blurred(SCENE, 0.5), 0, 0, 20))
    assert text.startswith("Colours are shifted")


def test_everything_at_once_stays_within_what_a_prompt_shows() -> None:
    bad = cast(checkerboard(jpeg(noisy(sharpened(SCENE, 2), 9), 8), 4), 9, -6, 0)
    reference = {f"an image with a name that is much too long to be printed in full {i}": SCENE for i in range(12)}
    describer = Describer(nothing, reference.get, lambda state, name: SCENE, 1)
    feedback = describer(dict.fromkeys(reference, bad), situation(1, 0))
    assert len(feedback.remarks) == 4
    assert max(len(r.text) for r in feedback.remarks) <= 300
    assert all("one stage ago" in r.text for r in feedback.remarks)


# Against the input


def test_without_a_reference_it_compares_with_the_input() -> None:
    low = bicubic(scene(side=512), 4)
    large = imresize(low, 512, 512)
    describer = Describer(lambda name: low, nothing, None, 4)
    plain = describer({"a": large}).remarks[1].text
    sharper = describer({"a": scene(side=512)}).remarks[1].text
    assert plain == "No visible difference from the enlarged input."
    assert "% sharper than in the enlarged input" in sharper
    assert "own fine detail keeps 100 % of its energy" in sharper


def test_blocks_that_the_input_had_are_still_a_fault() -> None:
    damaged = jpeg(noisy(SCENE, 2), 10)
    feedback = Describer(lambda name: damaged, nothing, None, 1)({"a": damaged})
    assert "8-px blocks" in feedback.remarks[1].text
    assert "no visible difference" not in feedback.remarks[1].text.lower()


def test_noise_that_was_taken_away_is_no_fault() -> None:
    degraded = noisy(SCENE, 15)
    text = Describer(lambda name: degraded, nothing, None, 1)({"a": SCENE}).remarks[1].text
    assert "noise 0." in text
    assert "(input 1" in text
    assert called(text) <= {"blur"}


# Against the state before


def test_what_changed_since_the_parent_state() -> None:
    before, now = blurred(SCENE, 1.5), blurred(SCENE, 1.0)
    asked: list[tuple[int, str]] = []

    def previous(state: int, name: str) -> Pixels:
        asked.append((state, name))
        return before

    describer = Describer(nothing, lambda name: SCENE, previous, 1)
    feedback = describer({"a": now}, situation(7, 4))
    assert asked == [(4, "a")]
    for remark in feedback.remarks:
        assert "Since one stage ago: edges " in remark.text
        assert "% sharper" in remark.text
    back = Describer(nothing, lambda name: SCENE, lambda s, n: now, 1)({"a": before}, situation(7, 4))
    assert "Since one stage ago: edges " in back.remarks[1].text
    assert back.remarks[1].text.count("% softer") == 2


def test_the_same_picture_as_before() -> None:
    restored = blurred(SCENE, 1.5)
    describer = Describer(nothing, lambda name: SCENE, lambda s, n: restored, 1)
    assert (
        describer({"a": restored}, situation(1, 0))
        .remarks[1]
        .text.endswith("No visible difference from one stage ago.")
    )


def test_a_start_without_a_parent_is_compared_with_nothing() -> None:
    def previous(state: int, name: str) -> Pixels | None:
        raise AssertionError((state, name))

    feedback = Describer(nothing, lambda name: SCENE, previous, 1)({"a": blurred(SCENE, 1)}, situation(0, None))
    assert "ago" not in feedback.remarks[0].text
    gone = Describer(nothing, lambda name: SCENE, lambda s, n: None, 1)({"a": blurred(SCENE, 1)}, situation(1, 0))
    assert "ago" not in gone.remarks[0].text
    assert not gone.problems


# Sets


def test_the_set_comes_first_then_the_worst_images() -> None:
    restored = {"a": blurred(SCENE, 0.4), "b": blurred(SCENE, 2.0), "c": SCENE, "d": blurred(SCENE, 1.0)}
    feedback = Describer(nothing, lambda name: SCENE, None, 1, images=2)(restored)
    assert [r.image for r in feedback.remarks] == [None, "b", "d"]
    assert feedback.remarks[0].text.startswith("4 images against the references: edges ")
    assert "(b " in feedback.remarks[0].text
    every = Describer(nothing, lambda name: SCENE, None, 1, images=None)(restored)
    assert [r.image for r in every.remarks] == [None, "a", "b", "c", "d"]
    none = Describer(nothing, lambda name: SCENE, None, 1, images=0)(restored)
    assert [r.image for r in none.remarks] == [None]


def test_faults_of_a_set_are_counted() -> None:
    restored = {"a": SCENE, "b": cast(SCENE, 0, 0, 3), "c": noisy(SCENE, 6), "d": noisy(SCENE, 4)}
    text = Describer(nothing, lambda name: SCENE, None, 1)(restored).remarks[0].text
    assert "added noise in 2 of 4 (c " in text
    assert "towards blue in 1 of 4" in text
    assert "no ringing, blocking or regular grid" in text


def test_a_set_without_differences() -> None:
    feedback = Describer(nothing, lambda name: SCENE, None, 1)({"a": SCENE, "b": SCENE})
    assert feedback.remarks[0].text == "2 images against the references: no visible difference."


def test_where_only_some_have_a_reference_the_others_are_counted() -> None:
    references = {"a": SCENE, "b": SCENE}
    feedback = Describer(lambda name: SCENE, references.get, None, 1)(dict.fromkeys("abc", SCENE))
    assert feedback.remarks[0].text == "2 images against the references (1 more without one): no visible difference."
    assert feedback.remarks[3].text == "No visible difference from the input."


# Bad input


def test_an_image_that_cannot_be_described_costs_the_others_nothing() -> None:
    def inputs(name: str) -> Pixels | None:
        if name == "torn":
            raise OSError("input is torn")
        return None if name == "alone" else SCENE

    restored = {
        "good": SCENE,
        "torn": SCENE,
        "alone": SCENE,
        "tiny": SCENE[:20, :20],
        "small": SCENE[:128],
        "gray": SCENE[..., 0],
    }
    feedback = Describer(inputs, nothing, None, 1)(restored)
    assert [r.image for r in feedback.remarks] == [None, "good"]
    why = feedback.problems["describer"]
    assert why.startswith("reviewer describer could not describe 5 images: torn: input is torn; alone: ")
    assert why.endswith("; and 2 more.")


def test_nothing_that_can_be_described_gives_no_remark() -> None:
    feedback = Describer(nothing, nothing, None, 1)({"a": SCENE})
    assert feedback.remarks == ()
    assert "neither a reference nor an input" in feedback.problems["describer"]
    assert Describer(nothing, nothing, None, 1)({}) == Feedback()


def test_sizes_that_do_not_fit_are_named() -> None:
    describer = Describer(nothing, lambda name: SCENE, None, 4)
    assert "256x128 px, its reference 256x256 px" in describer({"a": SCENE[:128]}).problems["describer"]
    assert not describer({"a": SCENE[:-3, :-2]}).problems
    low = Describer(lambda name: SCENE, nothing, None, 4)
    assert "its input 256x256 px at scale 4" in low({"a": SCENE}).problems["describer"]
    before = Describer(nothing, lambda name: SCENE, lambda s, n: SCENE[:128], 1)
    assert "parent state's image" in before({"a": SCENE}, situation(1, 0)).problems["describer"]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((32, 32, 3), dtype=np.uint8),
        np.full((64, 48, 3), 255, dtype=np.uint8),
        eight_bit(np.random.default_rng(0).uniform(0, 255, (64, 64, 3))),
    ],
    ids=["black", "white", "random"],
)
def test_poor_images_are_described_without_a_word_too_many(pixels: Pixels) -> None:
    worse = pixels // np.uint8(2) + np.uint8(30)
    feedback = Describer(nothing, lambda name: pixels, None, 1)({"a": worse})
    assert not feedback.problems
    assert "L*" in feedback.remarks[1].text
    assert "nan" not in feedback.remarks[1].text


def test_the_same_images_give_the_same_words() -> None:
    restored = {"a": noisy(blurred(SCENE, 1), 2), "b": sharpened(SCENE)}
    describer = Describer(nothing, lambda name: SCENE, None, 1)
    assert describer(restored) == describer({name: pixels.copy() for name, pixels in restored.items()})


@pytest.mark.parametrize(("scale", "images"), [(0, 3), (1, -1)])
def test_impossible_settings_are_refused(scale: int, images: int) -> None:
    with pytest.raises(Refused, match="must be >="):
        Describer(nothing, nothing, None, scale, images)
