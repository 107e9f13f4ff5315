"""The choice of one of several listed weight vectors: what is listed, in which order, and what answers do."""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agents.gbnf import as_regex
from agents.kit import IMAGES, Recorder, grow, line, niqe, seen, weights
from lossagent.agents import LLM, LLMOptions, View, forget
from lossagent.agents.llm import Choice, Option
from lossagent.agents.llm.candidates import MOST, moves, permuted
from lossagent.agents.llm.formats import Example
from lossagent.agents.llm.moves import Moves
from lossagent.agents.respond.estimates import predicted
from lossagent.chat.scripted import Scripted
from lossagent.errors import Refused
from lossagent.goal import Goal
from lossagent.records import Message
from lossagent.weights import Bounds, Weights

OPTIONS = LLMOptions(answer="choice")
TWO = line(6.0, 5.5)
PREVIOUS = TWO.weights_at(2)


def listed(view: View, step: float = 2.0, switch: bool = False) -> tuple[Option, ...]:
    return moves(view, Moves(step, switch).offered(view.previous, view.bounds), step)


def words(options: Sequence[Option]) -> list[str]:
    return [o.words for o in options]


# -- what is listed -----------------------------------------------------------------------------------------


def test_two_losses_give_keeping_single_moves_and_pairs() -> None:
    found = listed(seen(TWO))
    assert words(found) == [
        "keep all", "lower perceptual", "raise perceptual", "lower gan", "raise gan", "lower perceptual, lower gan",
        "lower perceptual, raise gan", "raise perceptual, lower gan", "raise perceptual, raise gan",
    ]  # fmt: skip
    assert found[0].weights == PREVIOUS
    assert found[7].weights.values() == pytest.approx(
        {"l1": 1.0, "perceptual": 2 * PREVIOUS["perceptual"], "gan": PREVIOUS["gan"] / 2}
    )


def test_with_more_losses_there_are_no_pairs() -> None:
    four = Weights.of({"l1": 1.0, "a": 0.1, "b": 0.1, "c": 0.1})
    assert words(listed(seen(grow([(0, four, niqe(6.0))])))) == [
        "keep all", "lower a", "raise a", "lower b", "raise b", "lower c", "raise c",
    ]  # fmt: skip


def test_options_lie_within_the_bounds_and_none_stands_twice() -> None:
    high = weights(1.0, 10.0, 9.0)
    view = seen(grow([(0, high, niqe(6.0))]), Bounds(high=10.0, trust=1.5))
    found = listed(view)
    assert "raise perceptual" not in words(found)
    assert {"lower perceptual", "raise gan", "lower gan"} <= set(words(found))
    for option in found:
        assert view.bounds.project(option.weights, view.previous) == option.weights
    assert dict(zip(words(found), found, strict=True))["raise gan"].weights["gan"] == 10.0
    values = [tuple(o.weights.values().values()) for o in found]
    assert len(set(values)) == len(values)


def test_what_was_tried_from_this_state_is_not_listed() -> None:
    w = weights(1.0, 0.1, 0.01)
    tree = grow([(0, w, niqe(6.0)), (1, weights(1.0, 0.2, 0.01), niqe(7.5)), (1, w, niqe(7.0))], head=1)
    found = words(listed(seen(tree)))
    assert "raise perceptual" not in found
    assert "keep all" not in found
    assert len(found) == 7


def test_where_all_were_tried_all_are_listed() -> None:
    one = Weights.of({"l1": 1.0, "gan": 0.01})
    children = [(1, Weights.of({"l1": 1.0, "gan": g}), niqe(7.0)) for g in (0.005, 0.01, 0.02)]
    assert len(listed(seen(grow([(0, one, niqe(6.0)), *children], head=1)))) == 3


def test_beyond_the_alphabet_a_part_is_drawn_with_keeping_in_it() -> None:
    many = Weights.of({f"loss{i}": 1.0 for i in range(20)})
    view = seen(grow([(0, many, niqe(6.0))]))
    found = listed(view)
    assert len(found) == MOST == 26
    assert words(found)[0] == "keep all"
    assert found == listed(view)
    assert found != listed(replace(view, seed=1))


def test_losses_are_switched_only_where_that_is_allowed() -> None:
    assert not any("off" in w for w in words(listed(seen(TWO))))
    found = listed(seen(TWO), switch=True)
    off = dict(zip(words(found), found, strict=True))["gan off"].weights
    assert off.off == {"gan"}
    assert off.magnitudes["gan"] == PREVIOUS["gan"]
    alone = grow([(0, weights(0.0, 0.1, 0.0), niqe(6.0))])
    assert not any("perceptual off" in w for w in words(listed(seen(alone), switch=True)))


# -- the order ----------------------------------------------------------------------------------------------


def test_each_option_stands_once_in_each_place_over_as_many_images() -> None:
    view = seen(TWO)
    found = listed(view)
    orders = [permuted(view, found, image) for image in IMAGES[: len(found)]]
    for place in range(len(found)):
        assert collections.Counter(o[place].words for o in orders) == dict.fromkeys(words(found), 1)


def test_the_order_depends_on_the_state_and_the_seed_alone() -> None:
    view = seen(TWO)
    found = listed(view)
    assert permuted(view, found, None) == permuted(view, found, None)
    seeds = {tuple(words(permuted(replace(view, seed=s), found, None))) for s in range(30)}
    assert len(seeds) > 20
    firsts = collections.Counter(permuted(replace(view, seed=s), found, None)[0].words for s in range(900))
    assert set(firsts) == set(words(found))
    assert all(60 <= n <= 145 for n in firsts.values())  # 100 expected


def test_a_model_that_likes_a_letter_moves_nothing() -> None:
    view = seen(line(6.0, 5.5))
    count = len(listed(view))
    images = IMAGES[:count]
    stages = [(i, view.trajectory.weights_at(i + 1), niqe(6.0 - i, images)) for i in range(2)]
    trajectory = grow(stages, start=niqe(7.0, images))
    for letter in "ABI":
        agent = LLM(Scripted(lambda m, s, at=letter: at), OPTIONS.model_copy(update={"query": "per_image"}))
        decision = agent.decide(replace(view, trajectory=trajectory, head=trajectory.head), forget)
        assert (decision.asked, decision.failed) == (count, 0)
        assert decision.weights == PREVIOUS


# -- what engines and models are told -----------------------------------------------------------------------


def asked(options: LLMOptions, view: View | None = None) -> str:
    return LLM(Scripted([]), options).prompts(view or seen(TWO))[1].content


def test_schema_and_grammar_list_the_letters() -> None:
    form = Choice(listed(seen(TWO)), thoughts="off")
    answer = form.answer_format(PREVIOUS, Bounds(), 100)
    assert answer.json_schema is not None
    assert answer.grammar is not None
    assert answer.json_schema["properties"] == {"choice": {"type": "string", "enum": list("ABCDEFGHI")}}
    regex = as_regex(answer.grammar)
    assert [letter for letter in "ABCDEFGHIJ" if regex.fullmatch(f'{{"choice": "{letter}"}}')] == list("ABCDEFGHI")


def test_the_prompt_lists_each_option_with_its_weights() -> None:
    view = seen(TWO)
    form = LLM(Scripted([]), OPTIONS).form(view)
    assert isinstance(form, Choice)
    text = asked(OPTIONS)
    for letter, option in zip(form.letters, form.options, strict=True):
        assert re.search(rf"^{letter}: {option.words}: 1\.0:0\.\d+:0\.\d+$", text, re.MULTILINE)
    assert "predicted" not in text
    assert "cut off" not in text  # options lie within the bounds
    example = re.search(r'For example: \{"thoughts": "why", "choice": "([A-I])"\}', text)
    assert example
    assert "or example" not in asked(OPTIONS.model_copy(update={"example": False}))


def test_predictions_are_those_of_the_response_model_and_can_be_switched_off() -> None:
    view = seen(line(6.0, 5.5, 5.9, 5.2))
    on = LLMOptions.model_validate({"answer": "choice", "evidence": {"response": True}})
    form = LLM(Scripted([]), on).form(view)
    assert isinstance(form, Choice)
    for option, expected in zip(form.options, predicted(view, [o.weights for o in form.options]), strict=True):
        assert option.prediction == expected
        assert f"{option.words}: " in asked(on, view)
        assert f"predicted {expected.mean:+.2f} +/- " in asked(on, view)
    assert "points (one is 0.1 of niqe), more is better" in asked(on, view)
    silent = LLMOptions.model_validate({"answer": "choice", "direction": "all_off", "evidence": {"response": True}})
    assert "predicted" not in asked(silent, view)
    wish = replace(view, goal=Goal(wish="sharper"))
    assert "predicted" not in asked(on, wish)


# -- answers ------------------------------------------------------------------------------------------------

THREE = (
    Option(weights(1.0, 0.1, 0.01), "keep all"),
    Option(weights(1.0, 0.2, 0.01), "raise perceptual"),
    Option(weights(1.0, 0.1, 0.005), "lower gan"),
)
FORM = Choice(THREE)


@pytest.mark.parametrize(
    "text",
    [
        '{"thoughts": "t", "choice": "B"}', '{"choice": "b"}', '```json\n{"Choice": " B "}\n```', "B", "b.", "**B**",
        "(B)", '"B"', "Option B", " B\n",
    ],
)  # fmt: skip
def test_a_letter_is_read(text: str) -> None:
    assert FORM.parse(text, THREE[0].weights, Bounds()).weights == THREE[1].weights


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("D", "one letter from A to C; found 'D'"),
        ('{"choice": "AB"}', "one letter from A to C; found 'AB'"),
        ('{"choice": 1}', "found '1'"),
        ('{"choice": null}', "one letter"),
        ('{"choice": ["A"]}', "one letter"),
        ('{"letter": "A"}', "The keys must be choice"),
        ('{"thoughts": "t"}', "missing: choice"),
        ('{"choice": "A", "gan": "raise"}', "'gan' too"),
        ("I would take the first", "no JSON object"),
        ("A" + " " * 200 + "or B", "no JSON object"),
    ],
)
def test_what_is_no_letter_is_refused_with_words_to_quote(text: str, problem: str) -> None:
    with pytest.raises(Refused, match=re.escape(problem)) as refused:
        FORM.parse(text, THREE[0].weights, Bounds())
    assert len(str(refused.value)) < 200


def test_a_choice_needs_options_and_letters_for_them() -> None:
    for count in (0, MOST + 1):
        with pytest.raises(Refused, match=f"1 to 26 options; found {count}"):
            Choice(THREE[:1] * count)


def test_the_majority_decides() -> None:
    keep, up, down = (o.weights for o in THREE)
    assert FORM.average([up, down, up, keep], keep) == up
    assert FORM.average([down], keep) == down


def test_of_equals_the_nearest_to_the_previous_weights_is_taken_then_the_first() -> None:
    keep, up, down = (o.weights for o in THREE)
    far = weights(1.0, 0.8, 0.01)
    assert FORM.average([far, far, up, up], keep) == up
    assert FORM.average([up, keep, far], keep) == keep
    assert FORM.average([down, up], keep) == down
    assert FORM.average([up, down], keep) == up
    off = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.0}, keep=keep)
    assert FORM.average([off, far], keep) == far


def by_words(wanted: str) -> Scripted:
    """A model that finds an option by its words, wherever it stands."""

    def reply(messages: Sequence[Message], seed: int) -> str:
        del seed
        found = re.search(rf"^([A-Z]): {wanted}:", messages[1].content, re.MULTILINE)
        assert found
        return f'{{"thoughts": "{wanted}", "choice": "{found[1]}"}}'

    return Scripted(reply)


@pytest.mark.parametrize("query", ["pooled", "per_image"])
def test_a_model_that_knows_what_it_wants_gets_it_wherever_it_stands(query: str) -> None:
    view, options = seen(TWO), LLMOptions.model_validate({"answer": "choice", "query": query})
    recall = Recorder()
    decision = LLM(by_words("raise gan"), options).decide(view, recall)
    assert decision.failed == 0
    assert decision.weights.values() == pytest.approx(
        {"l1": 1.0, "perceptual": PREVIOUS["perceptual"], "gan": 2 * PREVIOUS["gan"]}
    )
    assert decision.thoughts == "raise gan"
    assert all(e.weights == decision.weights for e in recall.known.values())
    silent = LLM(Scripted([]), options)
    assert silent.decide(view, Recorder(recall.known)) == decision


def test_with_one_option_nothing_is_asked() -> None:
    view = seen(TWO, Bounds(frozen=frozenset({"l1", "perceptual", "gan"})))
    agent = LLM(Scripted([]), OPTIONS)
    decision = agent.decide(view, forget)
    assert (decision.asked, decision.weights) == (0, PREVIOUS)


def test_options_of_ones_own_can_be_put_to_the_model() -> None:
    view = seen(TWO)
    agent = LLM(Scripted(["C"]), OPTIONS, maker=lambda options, view: lambda image: FORM)
    assert agent.decide(view, forget).weights == THREE[2].weights


def test_letters_of_the_shared_layout_are_those_of_the_whole() -> None:
    form = Choice(permuted(seen(TWO), listed(seen(TWO)), "image3"))
    told = form.describe(PREVIOUS, Bounds(), Example(PREVIOUS, random.Random(0)))
    other = Choice(permuted(seen(TWO), listed(seen(TWO)), "image4")).describe(PREVIOUS, Bounds(), None)
    assert told.rules == other.rules
    for letter, option in zip(form.letters, form.options, strict=True):
        assert f"{letter}: {option.words}" in told.own
        assert f"\n{letter}: {option.words}: " in str(told)
