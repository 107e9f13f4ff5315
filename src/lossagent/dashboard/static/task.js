// One task: its pictures, big answer buttons, a comment box, shortcuts.

import { path } from "./api.js";
import { el, fill } from "./dom.js";
import { makeViewer } from "./viewer.js";
import { makePane } from "./pane.js";
import { covering, makeView } from "./view.js";

const VERDICTS = [["left", "Left better", "1"], ["tie", "Tie", "2"], ["right", "Right better", "3"]];
const MARKS = ["bad", "poor", "fair", "good", "excellent"];
const KEYS = {
  pair: { ArrowLeft: { verdict: "left" }, 1: { verdict: "left" }, " ": { verdict: "tie" }, 2: { verdict: "tie" }, ArrowRight: { verdict: "right" }, 3: { verdict: "right" } },
  rating: Object.fromEntries([1, 2, 3, 4, 5].map((mark) => [mark, { rating: mark }])),
  comment: {},
};
const ASKED = {
  pair: "Which of the two looks better?",
  rating: "How good does this picture look?",
  comment: "What do you see? Say it in your own words.",
};

/** The view of a task; `onAnswer` is given {verdict} or {rating} with a comment. */
export function makeTaskView(run, task, { comment, onAnswer, onSkip, onUndo }) {
  const shown = task.kind === "pair" ? pairOf(run, task) : singleOf(run, task);
  const words = el("textarea", { id: "words", rows: 2, maxlength: 4000, placeholder: task.kind === "comment" ? "Waxy faces, ringing at edges \u2026" : "" });
  words.value = comment;
  const box = task.kind === "comment"
    ? el("div", { class: "words" }, el("label", { for: "words" }, "Your words"), words)
    : el("details", { class: "words", open: Boolean(comment) }, el("summary", {}, "Add a comment"), el("label", { for: "words", class: "unseen" }, "Comment"), words);
  const answers = el("div", { class: `answers ${task.kind}`, role: "group", "aria-label": ASKED[task.kind] });
  const node = el(
    "div", { class: "asked", tabindex: -1 },
    el("h1", {}, ASKED[task.kind]), shown.node, task.kind === "comment" ? [box, answers] : [answers, box],
    el("p", { class: "quiet tools" }, shown.tools, onSkip ? el("button", { type: "button", class: "small", onclick: onSkip }, "Later") : null),
    el("p", { class: "quiet help" }, help(task.kind)),
  );
  buttons();
  document.addEventListener("keydown", keys);

  function answer(value) {
    onAnswer({ ...value, comment: words.value.trim() });
  }

  function buttons() {
    const big = (label, key, value) => el("button", { type: "button", class: "big", "data-answer": label.toLowerCase(), onclick: () => answer(value) }, el("span", {}, label), key ? el("kbd", {}, key) : null);
    if (task.kind === "pair") fill(answers, VERDICTS.map(([verdict, label, key]) => big(label, key, { verdict })));
    else if (task.kind === "rating") fill(answers, MARKS.map((label, i) => el("button", { type: "button", class: "big", "data-answer": String(i + 1), onclick: () => answer({ rating: i + 1 }) }, el("strong", {}, i + 1), el("span", {}, label))));
    else fill(answers, el("button", { type: "button", class: "big primary", "data-answer": "send", onclick: sendWords }, "Send"));
  }

  function sendWords() {
    if (words.value.trim()) answer({});
    else words.focus();
  }

  function keys(event) {
    if (event.repeat || event.altKey) return;
    const typing = event.target.closest("input, textarea, select");
    if (typing) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && task.kind === "comment") sendWords();
      if (event.key === "Escape") node.focus();
      return;
    }
    if (event.ctrlKey || event.metaKey) return;
    // A button that was reached with the keyboard keeps its own space and enter.
    if (event.key === " " && event.target.closest("button, summary, a")) return;
    const value = KEYS[task.kind][event.key];
    if (value) answer(value);
    else if (event.key === "z") shown.zoom();
    else if (event.key === "f") shown.flip?.();
    else if (event.key === "u") onUndo();
    else return;
    event.preventDefault();
  }

  return {
    node,
    focus: () => node.focus({ preventScroll: true }),
    destroy() {
      document.removeEventListener("keydown", keys);
      shown.destroy();
    },
  };
}

function help(kind) {
  const common = "z zoom, u undo the last answer. Pinch, wheel and drag zoom the pictures.";
  return { pair: `Keys: \u2190 or 1 left, \u2192 or 3 right, space or 2 tie, f one at a time, ${common}`, rating: `Keys: 1 (bad) to 5 (excellent), ${common}`, comment: `Ctrl + Enter sends. ${common}` }[kind];
}

const source = (run, task, side) => path("run", run, "task", task.id, `${side}.png`);

function zoomer(view) {
  return () => (view.scale > 1.01 ? view.reset() : view.set(3, view.x, view.y));
}

// Whoever prefers one at a time keeps it from task to task.
let single = false;

function pairOf(run, task) {
  const viewer = makeViewer();
  const toggle = el("button", { type: "button", class: "small", "aria-pressed": String(single), onclick: () => flip(true) }, "One at a time");
  const zoom = zoomer(viewer.view);
  let covered = false;

  // Side by side on a phone the panes are tall and narrow: begin a little closer.
  viewer.node.addEventListener("shape", () => {
    const [pane] = viewer.panes();
    if (covered || single || !pane) return;
    const { clientWidth: width, clientHeight: height } = pane.node;
    if (height > width * 1.2) viewer.view.set(Math.min(1.6, covering(width, height, pane.shape)), 0.5, 0.5);
    covered = true;
  });

  function flip(fromButton = false) {
    if (single && !fromButton) return viewer.flip();
    single = !single;
    viewer.mode(single ? "flicker" : "side");
    toggle.setAttribute("aria-pressed", String(single));
    return undefined;
  }

  if (single) viewer.mode("flicker");
  viewer.show(...["left", "right"].map((side) => ({ src: source(run, task, side), alt: `${side} picture`, label: side === "left" ? "Left" : "Right" })));
  return { node: viewer.node, tools: [el("button", { type: "button", class: "small", onclick: zoom }, "Zoom"), toggle], zoom, flip, destroy: viewer.destroy };
}

function singleOf(run, task) {
  const view = makeView();
  const pane = makePane(view, "Picture");
  const node = el("div", { class: "viewer", "data-mode": "single" }, el("figure", { class: "framed" }, pane.node));
  pane.onShape = (shape) => node.style.setProperty("--shape", String(Math.min(3, Math.max(0.5, shape))));
  pane.show([{ src: source(run, task, "left"), alt: "picture" }]);
  const zoom = zoomer(view);
  return { node, tools: [el("button", { type: "button", class: "small", onclick: zoom }, "Zoom")], zoom, destroy: pane.destroy };
}
