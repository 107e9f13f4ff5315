"""The page as a whole: self-contained, escaped, honest, and there for unfinished runs too."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import pytest
from make_run import HOSTILE, make_run

from lossagent.errors import Damaged, Refused
from lossagent.report import read_run, write_report

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """Collects what a browser would fetch, images without text, ids, and whether tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.silent: list[str] = []
        self.scripts = 0
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        values = dict(attrs)
        self.fetched += [values[k] for k in ("src", "href", "srcset", "action") if values.get(k)]
        self.ids += [values["id"]] if values.get("id") else []
        self.scripts += tag == "script"
        if tag == "img" and not values.get("alt"):
            self.silent.append(str(values)[:80])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def without_quotes(html: str) -> str:
    """The page's own words: foreign text, styles and pictures left out."""
    html = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    html = re.sub(r'<(\w+)[^>]*class="foreign"[^>]*>.*?</\1>', "", html, flags=re.DOTALL)
    return re.sub(r"data:image/[^\"]*", "", html)


def test_page_is_self_contained_balanced_and_small(made):
    page = Reader(made.html)
    assert all(a.startswith(("data:", "#")) for a in page.fetched)
    assert "url(" not in made.html
    assert "@import" not in made.html
    assert page.open == []
    assert page.silent == []
    assert len(page.ids) == len(set(page.ids))
    assert {a[1:] for a in page.fetched if a.startswith("#")} <= set(page.ids)
    assert made.page.stat().st_size < 6e6


def test_figures_lie_beside_the_page(made):
    names = {p.name for p in (made.page.parent / "figures").iterdir()}
    assert {"crops.png", "score-niqe.png", "weights-gan.png", "loss-l1.png", "discriminator-gan.png"} <= names
    assert "weights-l1.png" not in names  # the anchor never moves
    assert all((made.page.parent / "figures" / n).read_bytes().startswith(b"\x89PNG") for n in names)


def test_foreign_text_is_escaped(made):
    page = Reader(made.html)
    assert page.scripts == 1
    assert HOSTILE not in made.html
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in made.html
    assert "no plastic skin &lt;b&gt;please&lt;/b&gt;" in made.html
    assert "step skipped &lt;i&gt;" in made.html
    assert "a note &amp; more" in made.html


def test_every_decision_stands_there_with_its_retries_and_rollback(made):
    html = made.html
    for state in range(1, 9):
        assert f'id="state-{state}"' in html
    assert "S3 → S5" in html
    assert "rollback: the stage restarts from an earlier state" in html
    assert "fallback: no usable answer" in html
    assert "3 questions asked, 3 unusable" in html
    assert "the bounds moved the answer" in html
    assert html.count("undone by rollback</span>") == 1


def test_sets_are_kept_apart_and_labelled(made):
    for words in ("the agent saw these", "chose the checkpoint", "never used for a choice"):
        assert words in made.html
    assert made.html.index("never used for a choice") < made.html.index("the agent saw these")


def test_warnings_are_shown(made):
    for words in (
        "1 of 860 iterations were skipped",
        "Gradient clipping was active in 12 of 860",
        "looks back over about 33 iterations, 33 % of a stage of 100",
        "feedback/baboon resembles test/mandrill.",
        "EfficientNet-Lite0 features, not VGG19",
    ):
        assert words in made.html


def test_demo_claims_nothing(demo):
    own = without_quotes(demo)
    assert "prove that the parts work together" in own
    for word in ("better", "±", "interval over", "95 %", "not estimable", "✓", "✗"):
        assert word not in own.lower(), word


def test_passing_the_ground_truth_raises_the_alarm(demo, made):
    assert "niqe went beyond the ground truth" in demo
    assert 'class="gamed alarm"' in demo
    assert "went beyond the ground truth." not in made.html
    assert 'class="gamed alarm"' in made.html
    assert "lattice_peak rose beyond its noise while the objective rose" in made.html
    assert "psnr fell: the goal sets it a limit, see there." in made.html
    assert "beyond its noise" not in demo  # so few images judge nothing


def test_a_run_with_the_start_alone(tmp_path):
    run = make_run(tmp_path / "run", stages=0, finished=False, evaluated=False, pictures=False)
    for name in ("losses.jsonl", "environment.json"):
        (run / name).unlink()
    html = write_report([run], tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    Reader(html)
    for words in (
        "The run is not finished: 0 of 0 stages",
        "losses.jsonl is not there",
        "environment.json cannot be read",
        "evaluation.json is not there",
        "there are no crops to show",
        "No fixed run stands beside this one",
        "lossagent resume",
    ):
        assert words in html


def test_an_unfinished_run_with_a_torn_log(tmp_path):
    run = make_run(tmp_path / "run", stages=3, finished=False)
    log = run / "events.jsonl"
    log.write_text(log.read_text() + '{"kind": "decid')
    (run / "experiment.yaml").write_text("a: [unclosed")
    (run / "evaluation.json").write_text('{"sets": 3}')
    shutil.rmtree(run / "images" / "test")
    html = write_report([run], tmp_path / "page.html", title="T <&>").read_text(encoding="utf-8")
    Reader(html)
    for words in (
        "torn line",
        "experiment.yaml cannot be read",
        "evaluation.json cannot be read",
        "Feedback images, which the agent was scored on",
        "T &lt;&amp;&gt;",
    ):
        assert words in html


def test_a_state_that_is_decided_but_not_trained(tmp_path):
    run = make_run(tmp_path / "run", stages=3, finished=False, evaluated=False, pictures=False)
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if '"kind":"decided"' in line)
    (run / "events.jsonl").write_text("".join(lines[: last + 1]))
    html = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not trained yet" in html
    assert "S2" in html


def test_folders_without_a_run_are_refused(tmp_path):
    with pytest.raises(Refused, match="at least one run"):
        write_report([], tmp_path / "page.html")
    with pytest.raises(Refused, match=r"no events\.jsonl"):
        write_report([tmp_path], tmp_path / "page.html")
    (tmp_path / "events.jsonl").write_text('{"kind": "warned", "text": "early"}\n')
    with pytest.raises(Refused, match="has not started"):
        write_report([tmp_path], tmp_path / "page.html")
    (tmp_path / "events.jsonl").write_text('{"kind": "nonsense"}\n{"kind": "warned", "text": "x"}\n')
    with pytest.raises(Damaged, match="no event"):
        read_run(tmp_path)
    assert not (tmp_path / "page.html").exists()


def test_a_long_answer_is_cut_and_said(tmp_path):
    run = make_run(tmp_path / "run", stages=2, evaluated=False, pictures=False)
    file = run / "exchanges" / "state-0002.jsonl"
    file.write_text(file.read_text().replace("GAN was better", "x" * 1_000_000, 1))
    page = write_report([run], tmp_path / "page.html")
    assert "more characters are in exchanges/state-0002.jsonl" in page.read_text(encoding="utf-8")
    assert page.stat().st_size < 2e6


def test_the_page_is_the_same_when_written_again(made, tmp_path):
    again = write_report(made.runs, tmp_path / "again.html", notes=["a note & more"])
    assert again.read_text(encoding="utf-8") == made.html
