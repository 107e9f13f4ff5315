// All states as rows, the latest first; older ones on request, so that a thousand do not slow the page.

import { el } from "./dom.js";
import { number, weightsLine } from "./format.js";
import { fate } from "./history.js";
import { link } from "./routes.js";
import { adjustment } from "./words.js";

const SHOWN = 25;

/** The table of states; `more` is how many rows beyond the latest are wanted, `onMore` asks for more. */
export function stateTable(run, kept, more, onMore) {
  const metrics = Object.keys(run.metrics ?? {});
  const rows = run.states.slice(-(SHOWN + more)).reverse();
  const left = run.states.length - rows.length;
  return el(
    "section", { class: "wide" },
    el("h2", {}, "States"),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of states", "data-focus": "states" }, el(
      "table", {},
      el("thead", {}, el("tr", {}, ["state", "from", "author", "weights", ...metrics, "what became of it"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((state) => row(run, state, kept, metrics))),
    )),
    left > 0 ? el("p", {}, el("button", { type: "button", "data-focus": "more", onclick: onMore }, `Show ${Math.min(200, left)} older states`)) : null,
  );
}

function row(run, state, kept, metrics) {
  const word = fate(run, state, kept);
  return el(
    "tr", { class: word === "undone" ? "faded" : "" },
    el("th", { scope: "row" }, el("a", { href: link(run.id, `state/${state.id}`) }, `S${state.id}`)),
    el("td", { class: "number" }, state.parent === null ? "\u2013" : `S${state.parent}`),
    el("td", { class: "number" }, state.author ?? "\u2013"),
    el("td", { class: "weights" }, weightsLine(state.weights, run.losses)),
    metrics.map((metric) => el("td", { class: "number", title: state.problems?.[metric] }, number(state.scores?.[metric]))),
    el("td", {}, [word, ...(state.adjusted_by ?? []).map(adjustment)].filter(Boolean).join("; ")),
  );
}
