"""The forms of answers: what is read, what is refused, what engines are told."""

from __future__ import annotations

import json
import math
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gbnf import as_regex
from agents.kit import weights
from lossagent.agents.llm import Choice, Format, Moves, Numbers, Option, Pattern
from lossagent.agents.llm.formats import Example, Thoughts
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights

NAMES = ("L1", "Perceptual", "GAN")
PREVIOUS = weights(1.0, 0.1, 0.01, names=NAMES)
FREE = Bounds.none()
OPTIONS = (
    Option(PREVIOUS, "keep all"),
    Option(weights(1.0, 0.2, 0.01, names=NAMES), "raise Perceptual"),
    Option(weights(1.0, 0.1, 0.005, names=NAMES), "lower GAN"),
)
FORMS: dict[str, Format] = {"pattern": Pattern(), "json": Numbers(), "moves": Moves(), "choice": Choice(OPTIONS)}
ORDERS: tuple[Thoughts, ...] = ("first", "last", "off")


def read(text: str, form: Format, previous: Weights = PREVIOUS, bounds: Bounds = FREE) -> dict[str, float]:
    return form.parse(text, previous, bounds).weights.values()


# -- pattern ------------------------------------------------------------------------------------------------

WANTED = {"L1": 0.7, "Perceptual": 0.3, "GAN": 0.05}


@pytest.mark.parametrize(
    "text",
    [
        "Weights: L1:Perceptual:GAN=0.7:0.3:0.05\nThoughts: fine",
        "weights: l1:perceptual:gan = 0.7 : 0.3 : 0.05",
        "**Weights:** `L1:Perceptual:GAN=0.7:0.3:0.05`",
        "Weights: [L1:Perceptual:GAN] = [0.7:0.3:0.05].",
        "'Weights: L1:Perceptual:GAN=0.7:0.3:0.05' 'Thoughts: (because it's so)'",
        "Weights:\nL1 : Perceptual : GAN=0.70000:0.3000:.05",
        "Weights: GAN:L1:Perceptual=5e-2:0.7:0.3",
        "After thought, L1:Perceptual:GAN=0.7:0.3:0.05.",
        "L1:Perceptual:GAN=1.0:0.1:0.01 was bad, so I take L1:Perceptual:GAN=0.7:0.3:0.05",
        "Was L1:Perceptual:GAN=1:1:1. Weights: L1:Perceptual:GAN=0.7:0.3:0.05 Thoughts: not L1:Perceptual:GAN=2:2:2",
        "Weights: L1:Perceptual:GAN=0.7:0.3:0.05\nThoughts: before, Weights: L1:Perceptual:GAN=1:0.1:0.01 was used",
    ],
)
def test_the_pattern_is_found_in_what_models_write(text: str) -> None:
    assert read(text, Pattern()) == pytest.approx(WANTED)


@pytest.mark.parametrize(
    ("text", "thoughts"),
    [
        ("Weights: L1:Perceptual:GAN=1:1:1\nThoughts: it's [better]", "it's [better]"),
        ("**Weights:** `L1:Perceptual:GAN=1:1:1`\n**Thoughts:** so.", "so."),
        ("Thoughts: first.\nWeights: L1:Perceptual:GAN=1:1:1", "first."),
        ("I raise GAN. Weights: L1:Perceptual:GAN=1:1:1", "I raise GAN."),
        ("L1:Perceptual:GAN=1:1:1 since GAN is low", "since GAN is low"),
        ("L1:Perceptual:GAN=1:1:1", ""),
    ],
)
def test_thoughts_are_what_is_not_weights(text: str, thoughts: str) -> None:
    assert Pattern().parse(text, PREVIOUS, FREE).thoughts == thoughts


def test_the_papers_own_answer_is_read() -> None:
    text = (
        "Based on the data, here's a proposed set of updated loss weights:\n\n"
        "Weights: L1:Perceptual:GAN=0.7:0.3:0.05\n\nThoughts: Decreasing the L1 loss weight seems beneficial.\n\nMore."
    )
    parsed = Pattern().parse(text, PREVIOUS, FREE)
    assert parsed.weights.values() == pytest.approx(WANTED)
    assert parsed.thoughts == "Decreasing the L1 loss weight seems beneficial. More."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("I would raise GAN.", "no line of the form"),
        ("Weights: L1:SSIM:GAN=1:1:1", "no line of the form"),
        ("Weights: L1:Perceptual=0.7:0.3", "name each of"),
        ("Weights: L1:L1:GAN=0.7:0.3:0.1", "name each of"),
        ("Weights: L1:Perceptual:GAN:GAN=0.7:0.3:0.1:0.1", "name each of"),
        ("Weights: L1:Perceptual:GAN=0.7:0.3", "3 numbers"),
        ("Weights: L1:Perceptual:GAN=0.7:0.3:0.1:0.1", "3 numbers"),
        ("Weights: L1:Perceptual:GAN=0.7:0.3:-0.1", "from 0 to"),
        ("Weights: L1:Perceptual:GAN=0.7:0.3:nan", "from 0 to"),
        ("Weights: L1:Perceptual:GAN=0.7:0.3:1e999", "from 0 to"),
        ("Weights: L1:Perceptual:GAN=0.7:0.3:1e7", "from 0 to"),
        ("Weights: L1:Perceptual:GAN=?:?:?", "must be a number"),
        ("Weights: L1:Perceptual:GAN=0:0:0", "above 0"),
        ("x" * 20_001, "20001 characters"),
    ],
)
def test_what_the_pattern_is_not_is_refused_with_words_to_quote(text: str, problem: str) -> None:
    with pytest.raises(Refused, match=re.escape(problem)) as refused:
        Pattern().parse(text, PREVIOUS, FREE)
    assert len(str(refused.value)) < 400


def test_names_with_signs_of_their_own_are_read() -> None:
    previous = Weights.of({"vgg[5_4]": 1.0, "l1": 1.0, "l1+ssim": 1.0})
    text = "Weights: vgg[5_4]:l1:l1+ssim=0.1:0.2:0.3"
    assert read(text, Pattern(), previous) == {"vgg[5_4]": 0.1, "l1": 0.2, "l1+ssim": 0.3}


def test_a_zero_switches_off_and_keeps_the_magnitude() -> None:
    parsed = Pattern().parse("Weights: L1:Perceptual:GAN=1:0:0.1", PREVIOUS, FREE)
    assert parsed.weights.off == {"Perceptual"}
    assert parsed.weights.magnitudes["Perceptual"] == 0.1


# -- JSON ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"thoughts": "fine", "L1": 0.7, "Perceptual": 0.3, "GAN": 0.05}',
        '```json\n{"thoughts": "fine", "L1": 0.7, "Perceptual": 0.3, "GAN": 0.05}\n```',
        'Here: {"gan": 0.05, "l1": 0.7, "perceptual": 0.3} as asked',
    ],
)
def test_numbers_in_an_object_are_read(text: str) -> None:
    assert read(text, Numbers()) == pytest.approx(WANTED)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1, 2, 3]", "no JSON object"),
        ('{"L1": 1, "Perceptual": 1}', "missing: GAN"),
        ('{"L1": 1, "Perceptual": 1, "GAN": 1, "SSIM": 1}', "'SSIM' too"),
        ('{"L1": 1, "L1": 2, "Perceptual": 1, "GAN": 1}', "given once"),
        ('{"L1": 1, "l1": 2, "Perceptual": 1, "GAN": 1}', "given twice"),
        ('{"L1": NaN, "Perceptual": 1, "GAN": 1}', "must be finite"),
        ('{"L1": -Infinity, "Perceptual": 1, "GAN": 1}', "must be finite"),
        ('{"L1": 1e999, "Perceptual": 1, "GAN": 1}', "from 0 to"),
        ('{"L1": -1, "Perceptual": 1, "GAN": 1}', "from 0 to"),
        ('{"L1": true, "Perceptual": 1, "GAN": 1}', "must be a number"),
        ('{"L1": "1", "Perceptual": 1, "GAN": 1}', "must be a number"),
        ('{"L1": ' + "9" * 400 + ', "Perceptual": 1, "GAN": 1}', "one of many digits"),
        ('{"L1": ' + "9" * 5000 + ', "Perceptual": 1, "GAN": 1}', "too many digits"),
        ('{"L1": ' + "[" * 9000 + "}", "not valid JSON|flat"),
        ('{"L1": 1, "Perceptual": 1, "GAN": 1, "thoughts": 3}', "must be a text"),
        ('{"L1": 1, "Perceptual": 1, "GAN": }', "not valid JSON"),
        ('{"L1": 0, "Perceptual": 0, "GAN": 0}', "above 0"),
    ],
)
def test_what_is_no_such_object_is_refused(text: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem) as refused:
        Numbers().parse(text, PREVIOUS, FREE)
    assert len(str(refused.value)) < 400


def test_a_loss_cannot_be_called_thoughts_in_json() -> None:
    for form in (Numbers(), Moves()):
        with pytest.raises(Refused, match="thoughts"):
            form.answer_format(Weights.of({"thoughts": 1.0, "l1": 1.0}), FREE, 100)


# -- moves --------------------------------------------------------------------------------------------------


def test_moves_multiply_the_previous_magnitudes_and_leave_the_anchor() -> None:
    got = read('{"thoughts": "t", "Perceptual": "raise", "GAN": "Lower"}', Moves(step=4.0))
    assert got == pytest.approx({"L1": 1.0, "Perceptual": 0.4, "GAN": 0.0025})
    assert Moves().offered(PREVIOUS, FREE) == {n: ("lower", "keep", "raise") for n in ("Perceptual", "GAN")}


def test_the_anchor_is_the_first_frozen_loss() -> None:
    bounds = Bounds(frozen=frozenset({"GAN"}))
    assert set(Moves().offered(PREVIOUS, bounds)) == {"L1", "Perceptual"}
    with pytest.raises(Refused, match="'GAN' too"):
        read('{"L1": "keep", "Perceptual": "keep", "GAN": "raise"}', Moves(), bounds=bounds)


def test_losses_are_switched_only_where_both_allow_it() -> None:
    off = Weights.of({"L1": 1.0, "Perceptual": 0.0, "GAN": 0.1}, keep=PREVIOUS)
    assert set(Moves().offered(off, FREE)) == {"GAN"}
    assert Moves(switch=True).offered(off, FREE) == {
        "Perceptual": ("keep", "on"),
        "GAN": ("lower", "keep", "raise", "off"),
    }
    assert set(Moves(switch=True).offered(off, Bounds(switch=False))) == {"GAN"}
    got = Moves(switch=True).parse('{"Perceptual": "on", "GAN": "off"}', off, FREE).weights
    assert got.values() == {"L1": 1.0, "Perceptual": 0.1, "GAN": 0.0}
    assert got.magnitudes["GAN"] == 0.1


def test_the_last_loss_cannot_be_switched_off() -> None:
    previous = Weights.of({"a": 0.0, "b": 1.0})
    with pytest.raises(Refused, match="must stay on"):
        Moves(switch=True).parse('{"b": "off"}', previous, Bounds(frozen=frozenset({"a"})))


@pytest.mark.parametrize("value", ['"up"', "1", "null", '"off"', "[]", '"' + "x" * 500 + '"'])
def test_other_moves_are_refused(value: str) -> None:
    with pytest.raises(Refused, match="must be one of lower, keep, raise") as refused:
        read(f'{{"Perceptual": {value}, "GAN": "keep"}}', Moves())
    assert len(str(refused.value)) < 200


def test_moves_do_not_run_away_without_bounds() -> None:
    w = PREVIOUS
    for _ in range(30):
        w = Moves(step=1000.0).parse('{"Perceptual": "raise", "GAN": "lower"}', w, FREE).weights
    assert (w["Perceptual"], w["GAN"]) == (1e6, 1e-6)


# -- means --------------------------------------------------------------------------------------------------


def test_numbers_are_averaged_arithmetically_and_moves_geometrically() -> None:
    answers = [weights(1.0, 0.1, 0.01, names=NAMES), weights(1.0, 0.4, 0.04, names=NAMES)]
    for form in (Pattern(), Numbers()):
        assert form.average(answers, PREVIOUS).values() == pytest.approx({"L1": 1.0, "Perceptual": 0.25, "GAN": 0.025})
    assert Moves().average(answers, PREVIOUS).values() == pytest.approx({"L1": 1.0, "Perceptual": 0.2, "GAN": 0.02})


def test_on_and_off_go_by_majority_and_a_tie_leaves_it() -> None:
    on, off = PREVIOUS, Weights.of({"L1": 1.0, "Perceptual": 0.1, "GAN": 0.0}, keep=PREVIOUS)
    assert Moves().average([on, off, off], PREVIOUS).off == {"GAN"}
    assert Moves().average([on, off], PREVIOUS).off == frozenset()
    assert Moves().average([on, off], off).off == {"GAN"}


# -- what engines are told ----------------------------------------------------------------------------------


ANSWERS = {
    "pattern": "Weights: L1:Perceptual:GAN=1.2500:0.3000:0.0100\nThoughts: more detail",
    "json": '{"thoughts": "more detail", "L1": 1.2500, "Perceptual": 0.3000, "GAN": 0.0100}',
    "moves": '{"thoughts": "more detail", "Perceptual": "raise", "GAN": "keep"}',
    "choice": '{"thoughts": "more detail", "choice": "B"}',
}


@pytest.mark.parametrize("name", FORMS)
def test_the_grammar_admits_what_is_parsed_and_nothing_around_it(name: str) -> None:
    answer = FORMS[name].answer_format(PREVIOUS, Bounds(), 100)
    assert answer.grammar is not None
    regex = as_regex(answer.grammar)
    assert regex.fullmatch(ANSWERS[name])
    assert FORMS[name].parse(ANSWERS[name], PREVIOUS, FREE).thoughts == "more detail"
    other_name = ANSWERS[name].replace("GAN", "SSIM").replace('"B"', '"D"')
    for other in ("", ANSWERS[name] + "\n", "x" + ANSWERS[name], other_name):
        assert not regex.fullmatch(other)
    assert not regex.fullmatch(ANSWERS[name].replace("more detail", "x" * 161))


@pytest.mark.parametrize("name", ["json", "moves", "choice"])
def test_the_schema_is_flat_closed_and_puts_short_thoughts_first(name: str) -> None:
    schema = FORMS[name].answer_format(PREVIOUS, Bounds(), 100).json_schema
    assert schema is not None
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == schema["required"]
    assert schema["required"][0] == "thoughts"
    assert schema["properties"]["thoughts"] == {"type": "string", "maxLength": 160}
    assert ("L1" in schema["properties"]) == (name == "json")  # the anchor is not offered as a move
    assert all(p["type"] in ("string", "number") for p in schema["properties"].values())


def test_odd_names_survive_grammar_and_schema() -> None:
    previous = Weights.of({"l1": 1.0, 'a"b\\c': 0.1})
    answer = Moves().answer_format(previous, FREE, 100)
    assert answer.grammar is not None
    text = json.dumps({"thoughts": "t", 'a"b\\c': "raise"})
    assert as_regex(answer.grammar).fullmatch(text)
    assert Moves().parse(text, previous, FREE).weights['a"b\\c'] == 0.2


@pytest.mark.parametrize("name", FORMS)
def test_the_example_in_the_prompt_is_a_valid_answer(name: str) -> None:
    form = FORMS[name]
    told = form.describe(PREVIOUS, FREE, Example(PREVIOUS, random.Random(0)))
    for text in (str(told), f"{told.rules} {told.own}"):
        assert "or example" in text
        shown = text[text.index("or example: ") + len("or example: ") :]
        assert form.parse(shown, PREVIOUS, FREE).weights.names == NAMES
    assert "or example" not in str(form.describe(PREVIOUS, FREE, None))


# -- where the reasons stand --------------------------------------------------------------------------------


def ordered(name: str, thoughts: Thoughts) -> Format:
    forms: dict[str, Format] = {
        "pattern": Pattern(thoughts=thoughts),
        "json": Numbers(thoughts=thoughts),
        "moves": Moves(thoughts=thoughts),
        "choice": Choice(OPTIONS, thoughts=thoughts),
    }
    return forms[name]


def answered(name: str, thoughts: Thoughts) -> str:
    """The answer of :data:`ANSWERS` in another order."""
    if name == "pattern":
        lines = ANSWERS[name].split("\n")
        return "\n".join({"first": lines[::-1], "last": lines, "off": lines[:1]}[thoughts])
    rest = json.loads(ANSWERS[name], parse_float=str)
    reasons = {"thoughts": rest.pop("thoughts")}
    found = {"first": {**reasons, **rest}, "last": {**rest, **reasons}, "off": rest}[thoughts]
    return re.sub(r'"(\d+\.\d+)"', r"\1", json.dumps(found))


@pytest.mark.parametrize("thoughts", ORDERS)
@pytest.mark.parametrize("name", FORMS)
def test_grammar_words_and_reading_follow_the_order_of_reasons(name: str, thoughts: Thoughts) -> None:
    form, text = ordered(name, thoughts), answered(name, thoughts)
    answer = form.answer_format(PREVIOUS, Bounds(), 100)
    assert answer.grammar is not None
    for other in ORDERS:
        assert bool(as_regex(answer.grammar).fullmatch(answered(name, other))) == (other == thoughts)
    parsed = form.parse(text, PREVIOUS, FREE)
    assert parsed.weights == FORMS[name].parse(ANSWERS[name], PREVIOUS, FREE).weights
    assert parsed.thoughts == ("" if thoughts == "off" else "more detail")
    told = str(form.describe(PREVIOUS, FREE, Example(PREVIOUS, random.Random(0))))
    places = [m.start() for m in re.finditer("thoughts", told, re.IGNORECASE)]
    decided = told.index("Weights:" if name == "pattern" else '"choice"' if name == "choice" else '"Perceptual"')
    assert (places != []) == (thoughts != "off")
    if places:
        assert (places[0] < decided) == (thoughts == "first")
    if answer.json_schema is not None:
        keys = answer.json_schema["required"]
        assert ("thoughts" in keys) == (thoughts != "off")
        if thoughts != "off":
            assert keys.index("thoughts") == (0 if thoughts == "first" else len(keys) - 1)


def test_with_reasons_first_the_weights_that_they_quote_do_not_count() -> None:
    text = "Thoughts: Weights: L1:Perceptual:GAN=1:1:1 was bad\nWeights: L1:Perceptual:GAN=0.7:0.3:0.05"
    assert read(text, Pattern(thoughts="first")) == pytest.approx(WANTED)
    assert read("L1:Perceptual:GAN=1:1:1, then L1:Perceptual:GAN=0.7:0.3:0.05", Pattern(thoughts="first")) == (
        pytest.approx(WANTED)
    )


def test_an_answer_with_its_reasons_elsewhere_is_read_all_the_same() -> None:
    for thoughts in ORDERS:
        for other in ORDERS:
            for name in FORMS:
                parsed = ordered(name, thoughts).parse(answered(name, other), PREVIOUS, FREE)
                assert parsed.thoughts in ("", "more detail")


# -- anything at all ----------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "Weights:", "L1", "Perceptual", "GAN", "L1:Perceptual:GAN", "=", ":", "0.7", "1e999", "nan", "-1", "?", "\n",
        "{", "}", '"', '"L1":', '"GAN"', ",", "[", "]", "Thoughts:", "raise", '"lower"', " ", "\x00", "<|im_end|>", "é",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join))


@pytest.mark.parametrize("name", FORMS)
def test_any_text_is_read_or_refused(name: str) -> None:
    @given(TEXTS)
    @settings(derandomize=True, max_examples=200, deadline=None)
    def check(text: str) -> None:
        try:
            parsed = FORMS[name].parse(text, PREVIOUS, FREE)
        except Refused as refused:
            message = str(refused)
            parsed = None
        if parsed is None:
            assert 0 < len(message) < 400
            return
        assert parsed.weights.names == NAMES
        assert all(math.isfinite(x) and 0 <= x <= 1e6 for x in parsed.weights.values().values())
        assert len(parsed.thoughts) <= 1000
        assert parsed.thoughts.isprintable()

    check()


@given(st.lists(st.floats(0, 100).filter(lambda x: x == 0 or x > 1e-4), min_size=3, max_size=3).filter(any))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_what_is_written_is_what_is_read(numbers: list[float]) -> None:
    wanted = dict(zip(NAMES, numbers, strict=True))
    text = f"Weights: {':'.join(NAMES)}={':'.join(str(n) for n in numbers)}\nThoughts: none"
    assert read(text, Pattern()) == wanted
    assert read(json.dumps({"thoughts": "", **wanted}), Numbers()) == wanted


def test_a_huge_answer_is_read_in_no_time() -> None:
    for text in (
        "L1:" * 6000,
        "Weights: L1:Perceptual:GAN=" + "1:" * 9000,
        "{" * 19_000 + "}",
        ("L1 " * 6000),
    ):
        for form in FORMS.values():
            with pytest.raises(Refused):
                form.parse(text, PREVIOUS, FREE)
