"""The pages of the dashboard in a real browser, before the real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the dashboard's packages are not installed")

import served_run
from browsing import PHONE, STATES, count_of, drawn, layer, vertices
from served_run import make, names, pairs, stage, write

ATTACK = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=2'>\u202e\" onclick=\"window.pwned=3"


def test_curves_have_a_point_a_state(open_page: Any) -> None:
    page = open_page(wait=layer("score:niqe", "score:line"))
    for metric in ("niqe", "psnr", "lattice"):
        assert count_of(page, f"score:{metric}", "score:line") == STATES
        assert vertices(page, f"score:{metric}", "score:line") == STATES
    assert count_of(page, "weights", "perceptual:line") == STATES - 1
    assert count_of(page, "weights", "gan:line") == 0  # It is off: no weight to draw.
    assert count_of(page, "raw", "gan:line") == STATES
    assert count_of(page, "shares", "l1:area") == STATES
    assert count_of(page, "tree", "way") == STATES
    niqe = page.locator('[data-chart="score:niqe"]')
    assert "lower is better" in niqe.inner_text()
    assert "target" in niqe.inner_text()
    psnr = page.locator('[data-chart="score:psnr"]').inner_text()
    assert "constraint" in psnr
    assert "at least the start −0.3" in psnr
    assert page.locator(layer("score:psnr", "limit:0")).get_attribute("d")
    page.get_by_role("button", name="as they are").click()
    assert count_of(page, "weights", "l1:line") == STATES - 1


def test_an_undone_stage_is_drawn_apart(open_page: Any, run: Path) -> None:
    write(run, stage(4, 9, parent=1))
    page = open_page(wait=layer("score:niqe", "score:line"))
    assert count_of(page, "score:niqe", "score:line") == 3  # S_0, S_1, S_4
    assert count_of(page, "score:niqe", "score:undone") == 2
    assert count_of(page, "tree", "undone") == 2
    assert "undone" in page.locator("tr", has_text="S3").last.inner_text()


def test_a_stage_that_is_being_trained_is_not_shown_as_undone(open_page: Any, run: Path) -> None:
    write(run, stage(STATES, 9)[:1])
    page = open_page(wait=layer("tree", "way"))
    assert count_of(page, "tree", "way") == STATES + 1
    assert "0 undone" in page.locator('[data-chart="tree"]').inner_text()
    assert "not scored yet" in page.locator("tr", has_text=f"S{STATES}").first.inner_text()


def test_new_events_are_drawn_without_a_reload(open_page: Any, run: Path) -> None:
    page = open_page(wait=layer("score:niqe", "score:line"))
    page.locator(".warnings summary").click()
    page.evaluate("path => { window.kept = document.querySelector(path); }", layer("score:niqe", "score:line"))
    plot = page.locator('[data-chart="score:niqe"] svg.plot')
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] - 12, "y": 60})
    assert "State 3" in page.locator('[data-chart="score:niqe"] .tooltip').inner_text()
    write(run, stage(STATES, 9))
    drawn(page, "score:niqe", "score:line", 5)
    assert page.evaluate("path => document.querySelector(path) === window.kept", layer("score:niqe", "score:line"))
    assert page.locator(".warnings").get_attribute("open") is not None
    assert "State 3" in page.locator('[data-chart="score:niqe"] .tooltip.pinned').inner_text()
    assert page.get_by_role("link", name="S4", exact=True).count() == 1


def test_a_chart_is_read_zoomed_and_thinned_out_with_keys(open_page: Any) -> None:
    page = open_page(wait=layer("weights", "perceptual:line"))
    plot = page.locator('[data-chart="score:niqe"] svg.plot')
    plot.focus()
    plot.press("Home")
    tip = page.locator('[data-chart="score:niqe"] .tooltip')
    assert "State 0" in tip.inner_text()
    plot.press("ArrowRight")
    assert "State 1" in tip.inner_text()
    plot.press("+")
    reset = page.locator('[data-chart="weights"]').get_by_role("button", name="Whole run")
    assert reset.is_visible()
    plot.press("0")
    assert reset.is_hidden()
    button = page.locator('[data-chart="weights"]').get_by_role("button", name="perceptual")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator(layer("weights", "perceptual:line")).count() == 0
    button.click()
    assert page.locator(layer("weights", "perceptual:line")).count() == 1
    plot.focus()
    plot.press("End")
    plot.press("Enter")
    page.wait_for_selector("h1:has-text('State 3')")


def test_a_thousand_states_stay_small(open_page: Any) -> None:
    page = open_page(wait=layer("score:niqe", "score:line"))
    whole = page.evaluate("fetch(location.hash.replace('#', '/api')).then(answer => answer.json())")
    last = whole["states"][-1]
    whole["states"] = [{**last, "id": i, "parent": i - 1 if i else None, "name": f"state-{i:04d}"} for i in range(1000)]
    whole["head"] = 999
    page.route("**/api/run/*", lambda route: route.fulfill(json=whole))
    page.reload()
    drawn(page, "score:niqe", "score:line", 1000)
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    spent = page.evaluate(
        """async () => {
        const plot = document.querySelector('[data-chart="score:niqe"] svg.plot');
        const box = plot.getBoundingClientRect();
        const start = performance.now();
        for (let i = 0; i < 100; i += 1) {
          plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + 60 + 3 * i, clientY: box.top + 50}));
        }
        return performance.now() - start;
        }"""
    )
    assert spent < 2000  # 100 moves over nine charts: 20 ms each on a slow machine.


def transforms(page: Any) -> list[str]:
    place = "sheets => sheets.map(sheet => [sheet.style.width, sheet.style.transform].join())"
    return page.eval_on_selector_all(".sheet", place)


def test_two_pictures_zoom_and_pan_together(open_page: Any) -> None:
    page = open_page("/compare", wait=".pane img")
    page.wait_for_function("() => [...document.querySelectorAll('.pane img')].every(image => image.naturalWidth > 0)")
    sources = page.eval_on_selector_all(".pane img", "images => images.map(image => decodeURIComponent(image.src))")
    assert sources[0].endswith(f"/image/state-0000/{names(1)[0]}.png")
    assert sources[1].endswith(f"/image/state-0003/{names(1)[0]}.png")
    before = transforms(page)
    page.locator(".pane").first.hover(position={"x": 60, "y": 60})
    page.mouse.wheel(0, -300)
    zoomed = transforms(page)
    assert zoomed[0] == zoomed[1] != before[0]
    page.mouse.down()
    page.mouse.move(300, 400)
    page.mouse.up()
    panned = transforms(page)
    assert panned[0] == panned[1] != zoomed[0]
    page.locator(".pane").first.dblclick()
    assert transforms(page) == before
    page.locator(".pane").last.press("+")
    assert transforms(page)[0] == transforms(page)[1] != before[0]


def hidden_part(page: Any) -> float:
    """Per cent of the left picture that the divider hides."""
    return float(page.evaluate("document.querySelector('.sheet img').style.clipPath").split()[1].rstrip("%"))


def test_the_slider_moves_by_hand_and_by_key(open_page: Any) -> None:
    page = open_page("/compare?mode=slider", wait=".handle")
    handle = page.get_by_role("slider")
    assert handle.get_attribute("aria-valuenow") == "50"
    assert hidden_part(page) == pytest.approx(50, abs=0.5)
    box = page.locator(".pane").bounding_box()
    handle.hover()
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 40)
    page.mouse.up()
    assert handle.get_attribute("aria-valuenow") == "25"
    assert hidden_part(page) == pytest.approx(75, abs=0.5)
    handle.press("ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "27"
    handle.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"


def test_flicker_changes_the_picture_with_the_space_bar(open_page: Any) -> None:
    page = open_page("/compare?mode=flicker&left=input&right=reference", wait=".pane img")
    assert page.locator(".framed figcaption").inner_text() == "input"
    page.locator("h1").click()
    page.keyboard.press(" ")
    assert page.locator(".framed figcaption").inner_text() == "reference"
    assert page.evaluate("getComputedStyle(document.querySelector('.sheet img')).visibility") == "hidden"
    page.keyboard.press(" ")
    assert page.locator(".framed figcaption").inner_text() == "input"


def test_two_scores_against_each_other(open_page: Any) -> None:
    page = open_page("/pareto?x=psnr&y=niqe", wait=layer("pareto", "front"))
    page.locator(layer("pareto", "front")).and_(page.locator("[data-points]")).wait_for(state="attached")
    assert count_of(page, "pareto", "front") + count_of(page, "pareto", "behind") == STATES
    page.locator("svg.plot").focus()
    page.keyboard.press("ArrowRight")
    assert "psnr" in page.locator(".tooltip").inner_text()


def test_a_decision_is_shown_with_its_prompt_and_answer(open_page: Any) -> None:
    page = open_page("/state/2", wait=".exchange")
    assert "moved into the bounds" in page.inner_text("main")
    assert "saw 2 comparisons" in page.inner_text("main")
    page.locator(".exchange > summary").click()
    assert served_run.HOSTILE.split("\u202e")[0].strip() in page.locator("pre.raw").inner_text()
    page.locator(".message > summary").first.click()
    assert page.locator(".message pre").first.is_visible()
    assert page.locator('[data-part="whatif"] tbody tr').count() > 2
    page.wait_for_selector(layer("stage", "l1:line"), state="attached")


FRAGMENTS = {
    "": ".charts svg text",
    "/state/2": ".exchange",
    "/compare": ".pane img",
    "/pareto": ".plot text",
    "/rate": ".answers button",
    "/steer": ".picker input",
}
"""Pages, and what is there once they are drawn."""


def show(page: Any, fragment: str) -> None:
    """Goes to another page of the run."""
    page.evaluate("place => { location.hash = location.hash.split('/').slice(0, 3).join('/') + place; }", fragment)
    page.wait_for_selector(FRAGMENTS[fragment])


class TestHostileText:
    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(served_run, "HOSTILE", ATTACK)
        monkeypatch.setitem(served_run.SETTINGS, "name", ATTACK)
        made = make(tmp_path / "run", states=STATES)
        write(made, [pairs(3, 1)])
        letter = {"kind": "pause", "author": ATTACK[:80]}
        (made / "mailbox" / "a.json").write_text(json.dumps(letter))
        return made

    def test_it_is_text_and_runs_nothing(self, open_page: Any) -> None:
        page = open_page(wait=layer("score:niqe", "score:line"))
        for fragment in FRAGMENTS:
            show(page, fragment)
            page.evaluate("for (const node of document.querySelectorAll('details')) node.open = true")
            assert page.evaluate("window.pwned") is None
            assert page.locator("script").count() == 1
            assert page.locator("[onclick], [onerror], main script, img[src='x']").count() == 0
            if fragment == "/state/2":
                assert page.locator("blockquote", has_text="onerror").count() >= 2
        page.evaluate("location.hash = '#/'")
        page.wait_for_selector(".card")
        assert page.locator(".card", has_text="window.pwned=1").count() == 1
        assert page.evaluate("window.pwned") is None


def test_a_phone_shows_every_page_without_scrolling_sideways(open_page: Any, run: Path) -> None:
    write(run, [pairs(3, 2)])
    page = open_page(wait=layer("score:niqe", "score:line"), **PHONE)
    for fragment in FRAGMENTS:
        show(page, fragment)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), fragment
        if fragment == "/rate":
            boxes = [button.bounding_box() for button in page.locator(".answers button").all()]
            assert all(box["y"] + box["height"] <= 844 and box["height"] >= 60 for box in boxes)


def test_a_lost_connection_is_said_and_found_again(open_page: Any) -> None:
    page = open_page(wait=layer("score:niqe", "score:line"))
    page.clock.install()
    page.route("**/changes*", lambda route: route.abort())
    page.clock.run_for(5000)
    page.get_by_text("No connection to the dashboard").wait_for()
    assert page.locator("#connection").is_visible()
    page.unroute("**/changes*")
    page.clock.run_for(20000)
    page.wait_for_selector("#connection", state="hidden")
    assert not page.get_by_text("No connection to the dashboard").is_visible()
    page.watch.complaints = [c for c in page.watch.complaints if "ERR_FAILED" not in c]
