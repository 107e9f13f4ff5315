"""Rating and steering in a real browser: what people do there arrives in the mailbox of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the dashboard's packages are not installed")

from browsing import HELD, first_letter, letters_in
from served_run import names, pairs, write

from lossagent.events import Asked
from lossagent.judgements import Task


def test_ratings_by_click_and_by_key_post_what_was_said(open_page: Any, run: Path) -> None:
    write(run, [pairs(3, 4)])
    page = open_page("/rate", rater=None)
    page.clock.install()
    page.get_by_label("Your name").fill("Bob <b>")
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector(".answers")
    assert page.locator(".progress").inner_text() == "1 of 4"
    page.get_by_role("button", name="Left better").click()
    page.locator(".progress", has_text="2 of 4").wait_for()
    page.keyboard.press(" ")
    page.locator(".progress", has_text="3 of 4").wait_for()
    page.get_by_text("Add a comment").click()
    page.get_by_label("Comment").fill("1 3 sharper hair")
    page.get_by_label("Comment").press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    page.clock.run_for(HELD)
    page.get_by_text("Thank you, the run goes on").wait_for()
    found = {letter["task"]: letter for letter in first_letter(run, page, 4)}
    assert [found[f"secret-3-{i}"]["verdict"] for i in range(4)] == ["left", "tie", "right", "left"]
    assert {letter["rater"] for letter in found.values()} == {"Bob <b>"}
    assert found["secret-3-2"]["comment"] == "1 3 sharper hair"
    assert page.evaluate("localStorage.getItem('lossagent.name')") == "Bob <b>"


def test_an_answer_can_be_taken_back_before_it_is_sent(open_page: Any, run: Path) -> None:
    write(run, [pairs(3, 2)])
    page = open_page("/rate", wait=".answers")
    page.clock.install()
    page.keyboard.press("3")
    page.locator(".progress", has_text="2 of 2").wait_for()
    page.keyboard.press("u")
    page.locator(".progress", has_text="1 of 2").wait_for()
    page.clock.run_for(2 * HELD)
    page.wait_for_timeout(200)
    assert letters_in(run) == []
    page.keyboard.press("1")
    page.clock.run_for(HELD)
    assert first_letter(run, page)[0]["verdict"] == "left"


def test_nothing_tells_which_side_is_which(open_page: Any, run: Path) -> None:
    write(run, [pairs(3, 2)])
    page = open_page("/rate", wait=".pane img")
    page.wait_for_function("() => [...document.querySelectorAll('.pane img')].every(image => image.naturalWidth > 0)")
    told = [page.content(), page.title(), *page.watch.addresses]
    assert not [text for text in told if "state-0" in text or "secret" in text]
    assert not [a for a in page.watch.addresses if "/decision/" in a or a.endswith("/changes")]


def test_marks_and_words_are_sent(open_page: Any, run: Path) -> None:
    kinds = ("rating", "comment")
    tasks = tuple(Task(id=kind, kind=kind, image=names(1)[0], left="state-0003") for kind in kinds)
    write(run, [Asked(state=3, tasks=tasks)])
    page = open_page("/rate", wait=".answers.rating")
    page.clock.install()
    page.get_by_role("button", name="4 good").click()
    page.get_by_label("Your words").fill("waxy")
    page.get_by_role("button", name="Send").click()
    page.clock.run_for(HELD)
    found = {letter["task"]: letter for letter in first_letter(run, page, 2)}
    assert found["rating"]["rating"] == 4
    assert found["comment"]["comment"] == "waxy"


def test_weights_are_set_by_hand_after_a_confirm_step(open_page: Any, run: Path) -> None:
    page = open_page("/steer", wait='[data-weight="perceptual"]')
    send = page.locator('[data-control="weights"]')
    assert send.is_disabled()
    field = page.locator('[data-weight="perceptual"]')
    assert field.input_value() == "0.3"
    field.fill("40")
    assert "outside the bounds" in page.locator(".weightsform").inner_text()
    assert send.is_disabled()
    field.fill("0.45")
    send.click()
    page.get_by_role("button", name="Cancel").click()
    assert letters_in(run) == []
    send.click()
    assert "0.45" in page.locator("dialog").inner_text()
    page.locator("[data-confirm]").click()
    letter = first_letter(run, page)[0]
    assert letter["kind"] == "weights"
    assert letter["author"] == "Ada"
    assert letter["weights"] == {"l1": 1.0, "perceptual": 0.45, "gan": 0.0}
    page.locator('[data-banner="requests"]').get_by_text("weights").wait_for()
    assert "not read yet" in page.locator('[data-banner="requests"]').inner_text()


def test_pause_and_undo_are_asked_for(open_page: Any, run: Path) -> None:
    page = open_page("/steer", wait='[data-control="pause"]')
    page.locator('[data-control="pause"]').click()
    page.locator("[data-confirm]").click()
    first_letter(run, page)
    page.get_by_label("S1").check()
    page.get_by_role("button", name="Undo to state 1").click()
    page.locator("[data-confirm]").click()
    found = {letter["kind"]: letter for letter in first_letter(run, page, 2)}
    assert found["pause"]["author"] == "Ada"
    assert found["undo"]["state"] == 1


def test_errors_of_the_server_are_said_in_words(open_page: Any, run: Path) -> None:
    page = open_page("/steer", wait='[data-control="pause"]')
    page.route("**/letters", lambda route: route.fulfill(status=400, json={"error": "the letter has no stamp."}))
    page.locator('[data-control="pause"]').click()
    page.locator("[data-confirm]").click()
    said = page.get_by_text("Not sent: the letter has no stamp.")
    said.wait_for()
    assert said.is_visible()
    assert letters_in(run) == []
    page.watch.complaints.clear()
