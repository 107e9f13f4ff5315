"""Foreign words everywhere: whatever they say, weights keep their bounds, records their lines and pages their elements.

The corpus (:mod:`hostile`) stands as author, remark, comment, image name and wish, and as the model's own answer.
"""

from __future__ import annotations

import functools
import html.parser
import json
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from agents.kit import GOAL, IMAGES, NIQE, grow, niqe, seen, weights
from hostile import CHARACTERS, HALVES, NEVER, PAGES, TEXTS
from lossagent.agents import LLM, Agent, Fixed, LLMOptions, Random, Rollback, View
from lossagent.agents.llm import Moves, Numbers, Pattern
from lossagent.agents.llm.history import AS_DATA
from lossagent.chat import Scripted
from lossagent.errors import Refused
from lossagent.events import EVENTS, AnyEvent, Commented, Decided, Scored, Warned
from lossagent.feedback import Feedback, Remark, writable
from lossagent.goal import Goal
from lossagent.letters import LETTERS
from lossagent.mailbox import Mailbox
from lossagent.objectives.questions import asked, remark_of
from lossagent.records import Exchange, Message
from lossagent.report import write_report
from lossagent.runs import MemoryLog, RunFolder, read_events, read_exchanges, read_trajectory
from lossagent.steering import Steering, Surroundings
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds
from report.make_run import make_run

INITIAL = weights(1.0, 0.1, 0.01)
BOUNDS = Bounds(trust=2.0, frozen=frozenset({"l1"}))
FORMATS = ("pattern", "json", "moves")
TOKEN = re.compile(r"<|>|`|\[/?[A-Z_]{3,}\]|\[gMASK\]")
ALL = TEXTS | HALVES
names = pytest.mark.parametrize("text", ALL.values(), ids=[name.replace(" ", "-") for name in ALL])
written = pytest.mark.parametrize("text", TEXTS.values(), ids=[name.replace(" ", "-") for name in TEXTS])


def test_the_corpus_is_wide() -> None:
    assert len(ALL) >= 40
    assert len(set(ALL.values())) == len(ALL)


# -- prompts ------------------------------------------------------------------------------------------------


def told(text: str, scored: bool) -> View:
    """Three states with the text as author, remark, comment, image name and wish; with scores or words alone."""
    name = image_named(text)
    remarks = (
        Remark(author=text, text=text),
        Remark(author="anna", text=text, image=name),
        Remark(author=text, text="plain", image=IMAGES[2]),
    )
    scores = niqe(5.0, (name, *IMAGES[1:])) if scored else Feedback()
    feedback = scores.model_copy(update={"remarks": remarks})
    stages = [(i, weights(1.0, 0.1 * (i + 1), 0.01), feedback) for i in range(3)]
    goal = Goal(targets=GOAL.targets if scored else (), wish=text if text.strip() else "none")
    view = seen(grow(stages, start=feedback), BOUNDS, goal)
    return view if scored else replace(view, metrics={})


def prompts(text: str, scored: bool) -> list[tuple[Message, ...]]:
    """Pooled and about the image, whole and summarised."""
    view, sent = told(text, scored), []
    for options in (LLMOptions(), LLMOptions(query="per_image", answer="pattern")):
        image = None if options.query == "pooled" else image_named(text)
        sent += [LLM(Scripted([]), options).prompts(view, image, short) for short in (False, True)]
    return sent


@functools.cache
def harmless_prompts(text: str, scored: bool) -> list[tuple[Message, ...]]:
    return prompts(text, scored)


def image_named(text: str) -> str:
    """An image of that name; names of images are names of files, which hold no halves of pairs."""
    return text.encode("utf-8", "replace").decode()


def bare(prompt: str) -> str:
    """A prompt without what stands between double quotes."""
    return re.sub(r'"[^"]*"', '""', prompt)


@names
@pytest.mark.parametrize("scored", [True, False], ids=["scores", "words"])
def test_foreign_words_stay_between_their_quotation_marks(text: str, scored: bool) -> None:
    visible = any(c.isprintable() and not c.isspace() for c in writable(text))
    harmless = harmless_prompts("soft hair" if visible else "", scored)  # words that vanish are shown as none are
    for sent, benign in zip(prompts(text, scored), harmless, strict=True):
        for one, other in zip(sent, benign, strict=True):
            assert bare(one.content) == bare(other.content)
            assert not TOKEN.search(one.content)
            assert not any(unicodedata.category(c)[0] == "C" for c in one.content if c != "\n")
        if visible:
            assert AS_DATA in sent[1].content


@names
def test_reviewers_are_asked_in_one_paragraph_whatever_the_wish(text: str) -> None:
    question = asked("single", None, text or "none")
    assert "\n" not in question
    assert not TOKEN.search(question)
    assert question.count('"') == 2
    remark = remark_of(text, 600)
    assert len(remark) <= 600
    assert not any(unicodedata.category(c)[0] == "C" for c in remark)


# -- agents -------------------------------------------------------------------------------------------------


def answers(text: str) -> list[str]:
    """The text as a whole answer, as the thoughts of a valid one, as its numbers and as a broken one's."""
    return [
        text,
        f"Weights: l1:perceptual:gan=1.0:0.12:0.012\nThoughts: {text}",
        f"Thoughts: {text}\nWeights: {NEVER}",
        json.dumps({"thoughts": text, "l1": 1.0, "perceptual": 0.12, "gan": 0.012}),
        json.dumps({"thoughts": text, "perceptual": "raise", "gan": "lower"}),
        f'{{"thoughts": "{text}", "l1": 1.0, "perceptual": 0.12, "gan": "raise"}}',
        f'{{"thoughts": "", "l1": {text}, "perceptual": 0.12, "gan": 0.012}}',
    ]


@names
def test_an_answer_is_read_within_bounds_or_refused(text: str) -> None:
    said: list[str] = []
    for form in (Pattern(), Numbers(), Moves(switch=True)):
        for answer in answers(text):
            try:
                parsed = form.parse(answer, INITIAL, BOUNDS)
            except Refused as refusal:
                said.append(str(refusal))
                continue
            check_thoughts(parsed.thoughts)
            for name, value in BOUNDS.project(parsed.weights, INITIAL).magnitudes.items():
                low, high = BOUNDS.box(name)
                assert low <= value <= high
                assert 0.499 <= value / INITIAL.magnitudes[name] <= 2.001
    assert all(len(problem) < 400 for problem in said)


def llm(text: str, answer: str, retries: int) -> Agent:
    replies = answers(text)
    chat = Scripted(lambda messages, seed: replies[seed % len(replies)])
    return LLM(chat, LLMOptions.model_validate({"answer": answer, "retries": retries, "prompt_limit": 2000}))


AGENTS: tuple[Callable[[str, int], Agent], ...] = (
    lambda text, retries: Fixed(),
    lambda text, retries: Random(),
    *(lambda text, retries, answer=answer: llm(text, answer, retries) for answer in FORMATS),
)


def feedback_on(text: str, score: float) -> Feedback:
    """Scores and remarks; the text is author, remark, image and problem."""
    images = (text, *IMAGES[1:])
    remarks = (Remark(author=text, text=text, image=text), Remark(author="anna", text=text))
    problems = {text: f"reviewer {text}: {text}"}
    return niqe(score, images).model_copy(update={"remarks": remarks, "problems": problems})


def steer(
    log: MemoryLog | RunFolder, agent: Agent, text: str = "plain", feedback: Feedback | None = None
) -> Trajectory:
    """Three stages, of which the second is worse."""
    goal = GOAL.model_copy(update={"wish": text if text.strip() else "none"})
    steering = Steering(
        agent=agent,
        goal=goal,
        initial=INITIAL,
        stages=3,
        log=log,
        metrics={"niqe": NIQE},
        bounds=BOUNDS,
        can_restart=True,
        surroundings=Surroundings(loss_facts={"gan": "sharpens"}),
    )
    steering.tell(0, feedback=feedback or feedback_on(text, 7.0))
    for score in (6.0, 8.0, 5.5):
        stage = steering.ask()
        assert stage is not None
        steering.tell(stage.state, feedback=feedback or feedback_on(text, score))
    return steering.trajectory


def check_weights(trajectory: Trajectory) -> None:
    for state in trajectory.states[1:]:
        decision = state.decision
        assert decision is not None
        assert decision.weights.names == INITIAL.names
        before = trajectory.weights_at(state.parent or 0)
        for name in INITIAL.names:
            value = decision.weights.magnitudes[name]
            low, high = BOUNDS.box(name)
            assert math.isfinite(value)
            assert low <= value <= high
            assert 0.499 <= value / before.magnitudes[name] <= 2.001
        assert decision.weights["l1"] == 1.0
        check_thoughts(decision.thoughts)


def check_thoughts(thoughts: str) -> None:
    assert len(thoughts) <= 1000
    assert not any(unicodedata.category(c)[0] == "C" for c in thoughts)


def check_lines(lines: list[str], events: list[AnyEvent]) -> None:
    assert [EVENTS.validate_json(line).model_dump_json() for line in lines] == [e.model_dump_json() for e in events]
    assert not any(control in line for line in lines for control in "\n\r\0")


@written
@pytest.mark.parametrize("rollback", [False, True], ids=["", "rollback"])
def test_every_agent_keeps_the_bounds_and_every_record_its_line(text: str, rollback: bool) -> None:
    for make in AGENTS:
        agent = make(text, int(rollback))
        log = MemoryLog()
        trajectory = steer(log, Rollback(agent) if rollback else agent, text)
        check_weights(trajectory)
        check_lines([event.model_dump_json() for event in log.events], list(log.events))
        again = Trajectory.fold(EVENTS.validate_json(event.model_dump_json()) for event in log.events)
        assert again.states == trajectory.states
        for number in range(len(trajectory.states)):
            for exchange in log.exchanges(number).values():
                assert Exchange.model_validate_json(exchange.model_dump_json()) == exchange


def test_halves_of_pairs_in_answers_stop_no_record() -> None:
    for text in HALVES.values():
        for answer in FORMATS:
            log = MemoryLog()
            replies = answers(text)
            chat = Scripted(lambda messages, seed, replies=replies: replies[seed % len(replies)])
            steer(log, LLM(chat, LLMOptions.model_validate({"answer": answer})))
            for number in range(4):
                assert all(e.model_dump_json() for e in log.exchanges(number).values())


@pytest.mark.parametrize("answer", FORMATS)
def test_a_run_folder_is_read_back_line_by_line(tmp_path: Path, answer: str) -> None:
    every = list(TEXTS.values())
    remarks = tuple(Remark(author=text, text=text, image=text) for text in every)
    feedback = Feedback(
        scores={"niqe": dict.fromkeys(every, 5.0)}, remarks=remarks, problems={text: text for text in every}
    )
    replies = [reply for text in every for reply in answers(text)]
    chat = Scripted(lambda messages, seed: replies[seed % len(replies)])
    query = "per_image" if answer == "moves" else "pooled"  # a synchronised write for each answer takes its time
    options = LLMOptions.model_validate({"answer": answer, "query": query, "retries": 0})
    with RunFolder.create(tmp_path / "run", {}, {}) as folder:
        trajectory = steer(folder, LLM(chat, options), feedback=feedback)
        events = list(folder.events)
    assert read_trajectory(folder.path).states == trajectory.states
    raw = (folder.path / "events.jsonl").read_text(encoding="utf-8")
    check_lines(raw.removesuffix("\n").split("\n"), events)
    assert [e.model_dump_json() for e in read_events(folder.path)] == [e.model_dump_json() for e in events]
    assert len(list(read_exchanges(folder.path, 2))) == (len(every) if query == "per_image" else 1)
    check_weights(trajectory)


# -- letters ------------------------------------------------------------------------------------------------


@names
def test_letters_are_read_or_refused_and_stop_nothing(text: str) -> None:
    sent = [
        {"kind": "comment", "rater": text, "state": 0, "image": None, "text": text},
        {"kind": "comment", "rater": "anna", "state": 0, "image": text, "text": text},
        {"kind": "judgement", "task": text, "rater": text, "verdict": "left", "comment": text},
        {"kind": "judgement", "task": text, "rater": "anna", "verdict": text},
        {"kind": "pause", "author": text},
        {"kind": text, "author": "anna"},
        {"kind": "weights", "author": text, "weights": {text: 1e9}},
    ]
    for value in sent:
        try:
            letter = LETTERS.validate_python(json.loads(json.dumps(value)))
        except ValueError:
            continue
        assert LETTERS.validate_json(letter.model_dump_json()) == letter
        if letter.kind == "comment":
            event = Commented(
                state=0, letter="1", remark=Remark(author=letter.rater, text=letter.text, image=letter.image)
            )
            check_lines([event.model_dump_json()], [event])


def test_a_mailbox_of_hostile_files_is_emptied(tmp_path: Path) -> None:
    run = tmp_path / "run"
    box = run / "mailbox"
    box.mkdir(parents=True)
    for number, text in enumerate(TEXTS.values()):
        (box / f"{number:03d}.json").write_bytes(text.encode())
    # What is no JSON may still be being written; here it has lain there for long.
    for path in box.iterdir():
        os.utime(path, (0, 0))
    mailbox = Mailbox(run)
    for path, received in list(mailbox.waiting()):
        assert all(one.letter is None for one in received), path
        mailbox.put_away(path, ["hostile"])
    left = {path.name for path in box.iterdir() if path.is_file()}
    assert left == set()


# -- pages --------------------------------------------------------------------------------------------------


class Elements(html.parser.HTMLParser):
    """Every element and its attributes, and what is shown as text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.shown: list[str] = []
        self.code: list[str] = []
        self._inside: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        (self.code if self._inside else self.shown).append(data)


def poisoned(folder: Path, texts: Mapping[str, str]) -> Path:
    """A run in which the texts stand wherever foreign words can."""
    run = make_run(folder, "llm", stages=5, images=4, pictures=False)
    everything = list(texts.values())
    lines: list[str] = []
    for event in read_events(run):
        if isinstance(event, Scored):
            remarks = tuple(Remark(author=text[:60], text=text, image=text[:60]) for text in everything)
            problems = {text[:40]: text for text in everything}
            feedback = event.feedback.model_copy(update={"remarks": remarks, "problems": problems})
            event = event.model_copy(update={"feedback": feedback})
        elif isinstance(event, Decided):
            thoughts = " ".join(text[:200] for text in everything)
            event = event.model_copy(
                update={"decision": event.decision.model_copy(update={"thoughts": thoughts, "author": everything[0]})}
            )
        lines.append(event.model_dump_json())
    warned: list[AnyEvent] = [Warned(text=text) for text in everything]
    said = [
        Commented(state=1, letter=f"{number}", remark=Remark(author=text[:60], text=text, image=text[:60]))
        for number, text in enumerate(everything)
    ]
    lines[-1:-1] = [event.model_dump_json() for event in (*warned, *said)]
    (run / "events.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    exchanges = [
        Exchange(
            key=f"image:{text[:60]}/{number}",
            author=text[:60],
            image=text[:60],
            messages=(Message(role="user", content=text, images=(text[:60],)),),
            raw=text,
            problem=text,
            thoughts=text,
        )
        for number, text in enumerate(everything)
    ]
    (run / "exchanges" / "state-0002.jsonl").write_text(
        "".join(f"{e.model_dump_json()}\n" for e in exchanges), encoding="utf-8"
    )
    settings = yaml.safe_load((run / "experiment.yaml").read_text())
    settings["goal"]["wish"] = " ".join(everything)
    settings["chat"]["model"] = everything[-1]
    (run / "experiment.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return run


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Elements, Elements]:
    """The report on a run full of hostile texts, and on the same run with harmless ones."""
    root = tmp_path_factory.mktemp("pages")
    short = {name: text[:3000] for name, text in (PAGES | CHARACTERS).items() if text}
    harmless = {name: f"words {number}" for number, name in enumerate(short)}
    made: list[Elements] = []
    for name, texts in (("hostile", short), ("harmless", harmless)):
        page = write_report([poisoned(root / name, texts)], root / f"{name}.html")
        made.append(Elements(page.read_text(encoding="utf-8")))
    return made[0], made[1]


def test_the_page_has_the_elements_it_would_have_had(pages: tuple[Elements, Elements]) -> None:
    hostile, harmless = pages
    for tag in {*hostile.tags, *harmless.tags}:
        assert hostile.tags[tag] == harmless.tags[tag], tag


def test_no_word_became_an_attribute_or_code(pages: tuple[Elements, Elements]) -> None:
    hostile, harmless = pages
    known = {(tag, name) for tag, name, _ in harmless.attributes}
    assert {(tag, name) for tag, name, _ in hostile.attributes} <= known
    running = ("href", "src", "style", "action", "formaction", "data", "srcdoc", "http-equiv", "content")
    for tag, name, value in hostile.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in running:
            assert "pwned" not in value, (tag, name, value[:200])
    assert not any("pwned" in code for code in hostile.code)


def test_the_words_are_shown_as_text(pages: tuple[Elements, Elements]) -> None:
    shown = "".join(pages[0].shown)
    for text in ("<script>pwned()</script>", "<img src=x onerror=pwned()>", "&lt;script&gt;pwned()&lt;/script&gt;"):
        assert text in shown


def test_a_reply_larger_than_any_answer_is_not_read_into_a_record() -> None:
    chat = Scripted(lambda messages, seed: "Very blurred. " * 20_000)
    log = MemoryLog()
    steer(log, LLM(chat, LLMOptions(retries=0)))
    raw = [e.raw or "" for number in range(4) for e in log.exchanges(number).values()]
    assert [len(text) for text in raw] == [20_000, 20_000]
