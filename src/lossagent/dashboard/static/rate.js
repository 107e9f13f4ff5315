// The page where people judge blindly: one task at a time, nothing on it says which side is which.

import { get, path } from "./api.js";
import { el, fill, say } from "./dom.js";
import { plural } from "./format.js";
import { makeOutbox } from "./outbox.js";
import { recall, remember } from "./person.js";
import { header } from "./shell.js";
import { makeTaskView } from "./task.js";

const AGAIN = 5000;

/** Mounts the page; returns {destroy()}. */
export function rate(root, run, onError) {
  const progress = el("p", { class: "progress", role: "status" });
  const place = el("div", { class: "task" });
  const note = el("div", { class: "sent", role: "status" });
  const page = { queue: [], done: 0, task: null, rater: recall(), stopped: false, timer: 0 };
  const outbox = makeOutbox(run, { onUndo: bringBack, onChange: tell, onTrouble: refused });

  name();
  if (page.rater) begin();
  else askName();

  function askName() {
    leaveTask();
    const name = el("input", { id: "rater", value: recall(), maxlength: 80, required: true, autocomplete: "nickname", enterkeyhint: "go" });
    fill(root, el(
      "form", { class: "welcome", onsubmit: named },
      el("h1", {}, "Which picture is better?"),
      el("p", {}, "You will see restored pictures, mostly two at a time. Nobody tells you which is which: say which one looks better to you. There is no wrong answer."),
      el("label", { for: "rater" }, "Your name"), name,
      el("button", { type: "submit", class: "primary" }, "Begin"),
    ));
    name.focus();

    function named(event) {
      event.preventDefault();
      if (!name.value.trim()) return;
      remember(name.value);
      page.rater = name.value.trim();
      page.done = 0;
      begin();
    }
  }

  async function begin() {
    fill(root, el("div", { class: "ratebar" }, progress, note, el("span", { class: "quiet who" }, "as ", el("strong", {}, page.rater), " ", el("button", { type: "button", class: "small", onclick: askName }, "change"))), place);
    await load();
  }

  async function load() {
    clearTimeout(page.timer);
    try {
      const found = await get(path("run", run, "tasks", { rater: page.rater }));
      if (page.stopped) return;
      onError(null);
      page.queue = found.filter((task) => !outbox.holds(task.id));
      if (page.queue.length) next();
      else finish();
    } catch (error) {
      if (page.stopped) return;
      onError(error);
      page.timer = setTimeout(load, AGAIN);
    }
  }

  // The list of runs gives the name; the run itself, with scores and weights, is not fetched here.
  async function name() {
    const found = (await get(path("runs")).catch(() => [])).find((one) => one.id === run);
    if (found && !page.stopped) header({ id: run, name: found.name, status: found.status }, "rate");
  }

  function leaveTask() {
    page.task?.destroy();
    page.task = null;
  }

  function next(comment = "") {
    leaveTask();
    const task = page.queue[0];
    if (!task) return finish();
    page.task = makeTaskView(run, task, { comment, onAnswer: (answer) => answered(task, answer), onSkip: page.queue.length > 1 ? skip : null, onUndo: () => outbox.undo() });
    fill(place, page.task.node);
    page.task.focus();
    preload(run, page.queue[1]);
    return tell();
  }

  function answered(task, answer) {
    page.queue.shift();
    page.done += 1;
    outbox.put(task, { kind: "judgement", task: task.id, rater: page.rater, ...answer });
    next();
  }

  function skip() {
    page.queue.push(page.queue.shift());
    next();
  }

  function bringBack(task, letter) {
    page.queue.unshift(task);
    page.done -= 1;
    next(letter.comment);
  }

  function refused(error, task) {
    onError(error);
    if (error.status === 404) load();
    else if (error.status === 400 && task) page.queue.push(task);
  }

  function tell() {
    const total = page.done + page.queue.length;
    const now = Math.min(total, page.done + 1);
    say(progress, page.queue.length ? `${now} of ${total}` : "");
    fill(note, outbox.describe());
    if (!page.queue.length && page.task === null && outbox.empty && page.done) finish();
  }

  function finish() {
    leaveTask();
    const waits = !outbox.empty;
    fill(place, el(
      "div", { class: "thanks" },
      el("h1", {}, page.done ? "Thank you!" : "Nothing to judge right now"),
      el("p", {}, page.done
        ? waits ? "Your last answer is being sent \u2026" : `Thank you, the run goes on. You answered ${plural(page.done, "task")}.`
        : "There is no open task for you. The run may be training, or you have answered everything."),
      el("p", { class: "quiet" }, "You can close this page, or leave it open: new tasks appear here by themselves."),
    ));
    say(progress, "");
    clearTimeout(page.timer);
    page.timer = setTimeout(load, AGAIN);
  }

  return {
    destroy() {
      page.stopped = true;
      clearTimeout(page.timer);
      leaveTask();
      outbox.destroy();
    },
  };
}

/** Fetches the pictures of the task after this one. */
function preload(run, task) {
  if (!task) return;
  for (const side of task.kind === "pair" ? ["left", "right"] : ["left"]) new Image().src = path("run", run, "task", task.id, `${side}.png`);
}
