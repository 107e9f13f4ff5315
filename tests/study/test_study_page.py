"""The page of a study: its verdict first, everything in it, and what is missing said."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from outcomes import ARMS, PRIMARY, make_study, outcome, without_hard_images
from PIL import Image

from command_line import command
from lossagent.errors import Damaged, Refused
from lossagent.goal import Constraint
from lossagent.study.outcome import place, read_outcomes, write_outcome
from lossagent.study.page import write_page
from lossagent.study.results import span

HOSTILE = "<script>alert('x')</script> | it & that"
FOUR = {name: ARMS[name] for name in ("fixed", "tuned-fixed", "random", "respond")}


class Links(HTMLParser):
    """Addresses that a page would load, and the ids in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inside: list[str] = []
        self.ids: set[str] = set()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.scripts += tag == "script"
        self.ids |= {found["id"]} if "id" in found else set()
        if tag == "a":
            self.inside.append(found["href"])
        elif "href" in found or "src" in found:
            self.loaded.append(found.get("href", found.get("src", "")))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with full runs, a failed run, one not begun, and an outcome that nobody asked for."""
    folder = tmp_path_factory.mktemp("page") / "study"
    make_study(folder, FOUR, few=3, tuned={"gan": 1.0}, primary=PRIMARY, missing=[("random", 1), ("random", 2)])
    failed = folder / "failures" / "niqe" / "random" / "seed-0001.json"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({"reason": HOSTILE, "time": 0.0}), encoding="utf-8")
    write_outcome(folder, outcome("random", 99))
    write_page(folder)
    return folder


@pytest.fixture(scope="module")
def page(study: Path) -> str:
    return (study / "page.html").read_text(encoding="utf-8")


def test_the_verdict_comes_first(page: str) -> None:
    verdict = page.index("respond is better than tuned-fixed.")
    assert verdict < page.index("<table")
    assert verdict < page.index("Everything below is exploratory") < page.index("<table")
    assert re.search(r"−0\.\d{3} \[−0\.\d{3}, −0\.\d{3}\], p = 0\.002, 10 seeds", page)
    assert "Registered 2026-11-02T08:15:00Z" in page


def test_the_page_holds_everything_it_shows(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.scripts == 0
    assert links.loaded
    assert all(address.startswith("data:") for address in links.loaded)
    assert {address.removeprefix("#") for address in links.inside} <= links.ids


def test_foreign_words_are_escaped(study: Path, page: str) -> None:
    assert "&lt;script&gt;alert" in page
    assert "\\<script\\>alert('x')\\</script\\> \\| it" in (study / "results.md").read_text(encoding="utf-8")


def test_what_is_missing_is_listed(study: Path, page: str) -> None:
    assert "2 of 43 runs" in page
    missing = json.loads((study / "tables.json").read_text(encoding="utf-8"))
    assert missing["missing"] == [
        {"run": "niqe/random/seed-0001", "why": f"failed: {HOSTILE}"},
        {"run": "niqe/random/seed-0002", "why": "not begun"},
    ]
    assert missing["left_out"] == ["niqe/random/seed-0099"]
    assert "niqe/random/seed-0099" in page


def test_figures_are_small_files_and_in_the_page(study: Path, page: str) -> None:
    files = sorted((study / "figures").glob("*.png"))
    names = {file.name.split("-")[0] for file in files}
    assert names == {"anytime", "differences", "ranks", "traded", "weights"}
    assert all(file.stat().st_size < 150_000 for file in files)
    for file in files:
        with Image.open(file) as picture:
            assert picture.width >= 800
    assert page.count("<img ") == len(files)


def keep_picture(folder: Path, arm: str, seed: int, which: str, level: int) -> None:
    """A picture of a test image of a run: its left half has the level, its right half none."""
    pixels = np.zeros((90, 120, 3), dtype=np.uint8)
    pixels[:, :60] = level
    file = folder / "runs" / "niqe" / arm / f"seed-{seed:04d}" / "images" / "BSD100" / which / "image2.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def test_the_place_where_arms_differ_is_shown_while_runs_have_their_pictures(tmp_path: Path) -> None:
    arms = {"fixed": 0.2, "respond": 0.6, "random": 0.3}
    study = make_study(tmp_path / "study", arms, few=2, many=2)
    write_page(study)
    assert not list((study / "figures").glob("crops*"))
    for level, arm in enumerate(arms, 1):
        for which in ("start", "reference", "selected"):
            keep_picture(study, arm, 1, which, 50 * level if which == "selected" else 10)
    write_page(study)
    with Image.open(study / "figures" / "crops-niqe-BSD100.png") as picture:
        shown = np.asarray(picture.convert("RGB"))
    # Five tiles a row: ground truth, start, start with noise, then the arms in their order; all are of the left half.
    tiles = [shown[22 + 40, x * 226 + 40].tolist() for x in (0, 1, 3, 4)] + [shown[22 + 248 + 40, 40].tolist()]
    assert tiles == [[10] * 3, [10] * 3, [50] * 3, [100] * 3, [150] * 3]
    text = (study / "results.md").read_text(encoding="utf-8")
    assert "## What the numbers look like" in text
    selected = next(o for o in read_outcomes(study) if (o.arm, o.seed) == ("respond", 1)).tests["BSD100"]["selected"]
    assert f"respond {selected.scores['niqe']['image2']:.2f}" in text
    assert 'href="#niqe-crops"' in (study / "page.html").read_text(encoding="utf-8")


def test_a_seed_of_which_an_arm_has_no_picture_is_not_shown(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", {"fixed": 0.2, "respond": 0.6}, few=1, many=1)
    for which in ("start", "reference", "selected"):
        keep_picture(study, "fixed", 0, which, 10)
    write_page(study)
    assert not list((study / "figures").glob("crops*"))


def test_markdown_has_whole_tables_and_the_verdict(study: Path) -> None:
    text = (study / "results.md").read_text(encoding="utf-8")
    assert text.startswith("# classical-niqe\n\n**respond is better than tuned-fixed.** −0.")
    rows = [re.sub(r"\\\|", "", line) for line in text.splitlines() if line.startswith("|")]
    heads = [i for i, line in enumerate(rows) if line.startswith("|:---|")]
    assert len(heads) == 10
    for at, head in enumerate(heads):
        end = heads[at + 1] - 1 if at + 1 < len(heads) else len(rows)
        assert {line.count("|") for line in rows[head - 1 : end]} == {rows[head].count("|")}
    for file in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (study / file).is_file()


def test_json_has_every_comparison(study: Path) -> None:
    data = json.loads((study / "tables.json").read_text(encoding="utf-8"))
    one = next(
        c
        for c in data["comparisons"]
        if (c["set"], c["arm"], c["against"]) == ("BSD100", "respond", "tuned-fixed (2x)")
    )
    assert one["verdict"] == "better"
    assert one["low"] < one["mean"] < one["high"] < 0
    assert one["p"] == 2 / 2**10
    assert one["p_holm"] > one["p"]
    lonely = next(c for c in data["comparisons"] if (c["arm"], c["against"]) == ("random", "fixed"))
    assert (lonely["low"], lonely["verdict"]) == (None, "no difference shown")
    assert data["primary"]["kind"] == "better"
    assert data["registered"]["sha256"] == "0123456789abcdef" * 4


def test_written_again_it_is_the_same(study: Path, page: str) -> None:
    before = {name: (study / name).read_bytes() for name in ("results.md", "tables.json")}
    write_page(study)
    assert (study / "page.html").read_text(encoding="utf-8") == page
    assert {name: (study / name).read_bytes() for name in before} == before


def test_a_simulated_study_says_so_everywhere(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", {"fixed": 0.5, "respond": 0.9}, few=2, many=2, simulated=True)
    page = write_page(folder).read_text(encoding="utf-8")
    assert "<h1>Simulated: classical-niqe</h1>" in page
    titles = re.findall(r"<h[23]>(.*?)</h[23]>", page)
    told = [title for title in titles if "simulated" not in title.lower()]
    assert told == ["How it was made"]
    assert all("Simulated" in caption for caption in re.findall(r"<figcaption>(.*?)</figcaption>", page))
    data = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    assert data["simulated"] is True
    assert all(table["title"].endswith("(simulated)") for table in data["tables"]["niqe"])
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert text.startswith("# Simulated: classical-niqe")
    assert "No primary comparison was named before the runs" in page


def changed_plan(folder: Path, metric: str) -> None:
    plan: dict[str, Any] = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    plan["primary"]["metric"] = metric
    (folder / "study.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")


def told_of(folder: Path) -> tuple[dict[str, Any], str]:
    write_page(folder)
    found = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    return found["primary"], (folder / "results.md").read_text(encoding="utf-8")


def test_a_plan_that_was_changed_after_its_registration_decides_nothing(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", FOUR, few=1, many=8, primary={**PRIMARY, "guards": []})
    kept, text = told_of(folder)
    assert (kept["kind"], kept["caveats"]) == ("better", [])
    assert "study.yaml is what was registered" in text
    changed_plan(folder, "perceptual_distance")
    changed, text = told_of(folder)
    assert changed["kind"] == "not decidable"
    assert "Not decidable: the plan was changed after it was registered." in text
    assert "- **Plan**: the plan was changed after it was registered" in text


def test_a_registration_without_the_plans_hash_is_said(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", FOUR, few=1, many=8, primary={**PRIMARY, "guards": []})
    entry = json.loads((folder / "registered.json").read_text(encoding="utf-8"))
    del entry["plan"]
    (folder / "registered.json").write_text(json.dumps(entry), encoding="utf-8")
    found, text = told_of(folder)
    assert found["kind"] == "better"
    assert found["caveats"][0].startswith("The registration holds no hash of the plan")
    assert "whether it was changed since cannot be told" in text


def test_scores_that_count_as_missing_are_listed(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", FOUR, few=1, many=8, primary={**PRIMARY, "guards": []})
    for seed in (2, 3):
        write_outcome(folder, without_hard_images(outcome("respond", seed, 1.3)))
    found, text = told_of(folder)
    sentence = "niqe of respond on BSD100 (selected) counts as missing in seeds 2 to 3: up to 3 of the 6 images"
    assert found["sentence"] == "Not decidable: no score of niqe in seed 2, 3."
    assert found["caveats"][0].startswith(sentence)
    assert text.count(sentence.replace("_", "\\_")) == 2
    assert sentence in (folder / "page.html").read_text(encoding="utf-8")
    listed = json.loads((folder / "tables.json").read_text(encoding="utf-8"))["incomplete"]
    assert {(one["arm"], one["metric"], *one["seeds"]) for one in listed} == {("respond", "niqe", 2, 3)}


@pytest.mark.parametrize("who", ["all", "respond"])
def test_limits_relative_to_fixed_make_the_fixed_run_a_cost(tmp_path: Path, who: str) -> None:
    folder = make_study(tmp_path / "study", FOUR, few=1, many=2)
    for one in read_outcomes(folder):
        if one.arm != "fixed" and who in ("all", one.arm):
            limits = (*one.goal.constraints, Constraint(metric="psnr_y", at_least=-0.3, relative_to="fixed"))
            write_outcome(folder, one.model_copy(update={"goal": one.goal.model_copy(update={"constraints": limits})}))
    write_page(folder)
    text = (folder / "results.md").read_text(encoding="utf-8")
    name = "Every arm but fixed" if who == "all" else "respond"
    assert f"- **Fixed run**: {name} knew the fixed arm's scores of its seed (limits are relative to it)" in text
    assert f"- {name} also knew the scores of a whole fixed run" in text


def test_a_study_that_has_not_begun(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", {"fixed": 0.5, "respond": 0.9, "tuned-fixed": 0.6}, few=1, many=2,
                        primary=PRIMARY, missing=[(a, s) for a in ("fixed", "respond", "tuned-fixed") for s in (0, 1)],
                        registered=False)  # fmt: skip
    page = write_page(folder).read_text(encoding="utf-8")
    assert "Not finished: 0 of 2 seeds." in page
    assert "No run is finished yet." in page
    assert "Not registered." in page


def test_two_objectives_are_two_chapters(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", {"fixed": 0.5, "respond": 0.9}, few=2, many=2)
    plan: dict[str, Any] = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    plan["objectives"] = {"niqe": {}, "sharp": {}}
    (folder / "study.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    for arm in ("fixed", "respond"):
        write_outcome(folder, outcome(arm, 0, ARMS[arm], objective="sharp"))
    links, page = Links(), write_page(folder).read_text(encoding="utf-8")
    links.feed(page)
    assert {"niqe-scores", "sharp-scores"} <= links.ids
    assert "Objective sharp" in page
    assert "### niqe ↓ on BSD100" in (folder / "results.md").read_text(encoding="utf-8")
    assert "## Cost (sharp)" in (folder / "results.md").read_text(encoding="utf-8")


def test_report_takes_a_study_folder(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", {"fixed": 0.5}, few=1, many=1)
    told = command("report", folder)
    assert told.status == 0, told.err
    assert told.out.strip() == f"Report: {folder / 'page.html'}"
    refused = command("report", folder, "--out", tmp_path / "other.html")
    assert refused.status == 2
    assert "reported alone, inside its folder" in refused.err


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"must be a study folder, with a study\.yaml"):
        write_page(tmp_path)
    folder = make_study(tmp_path / "study", {"fixed": 0.5}, few=1, many=1)
    place(folder, "niqe", "fixed", 0).write_text("{}", encoding="utf-8")
    with pytest.raises(Damaged, match="is no outcome of a run"):
        write_page(folder)


def test_seeds_in_words() -> None:
    assert span([0, 1, 2, 3, 4, 7]) == "0 to 4, 7"
    assert span([5]) == "5"
