// Going back to an earlier state: a list with scores to choose from.

import { el } from "./dom.js";
import { number, weightsLine } from "./format.js";
import { best, fate, lineage } from "./history.js";

const SHOWN = 40;
let chosen = null;

/** The picker; `ask` sends a request after a confirm step. */
export function undoPicker(run, ask) {
  const metrics = Object.keys(run.metrics ?? {}).slice(0, 4);
  const kept = lineage(run.states, run.head);
  const possible = run.states.filter((state) => state.restorable && state.scored && state.id !== run.head);
  const target = run.goal?.targets?.[0];
  const top = target ? best(possible, target.metric, target.direction) : null;
  const latest = possible.slice(-SHOWN);
  // The best state is offered even where it is long ago, and S_0 always.
  const offered = [...new Set([possible[0], top, ...latest])].filter(Boolean).sort((a, b) => b.id - a.id);
  if (!offered.some((state) => state.id === chosen)) chosen = null;
  const button = el("button", { type: "button", "data-control": "undo", disabled: chosen === null, onclick: request }, "Undo \u2026");
  if (chosen !== null) button.textContent = `Undo to state ${chosen} \u2026`;

  function request() {
    const state = run.states.find((s) => s.id === chosen);
    const scores = metrics.map((metric) => `${metric} ${number(state.scores?.[metric])}`).join(", ");
    ask(`Undo to state ${chosen}`, el("p", {}, `The next stage starts from state ${chosen} (${scores}). What came after it is kept in the record as undone.`), { kind: "undo", state: chosen }, `Undo to state ${chosen}`);
  }

  function choice(state) {
    const radio = el("input", { type: "radio", name: "undo", value: state.id, id: `undo-${state.id}`, checked: state.id === chosen, "data-focus": `undo-${state.id}` });
    radio.addEventListener("change", () => {
      chosen = state.id;
      button.disabled = false;
      button.textContent = `Undo to state ${chosen} \u2026`;
    });
    const words = [fate(run, state, kept), state === top ? `best ${target.metric}` : ""].filter(Boolean).join(", ");
    return el(
      "tr", {},
      el("th", { scope: "row" }, radio, el("label", { for: `undo-${state.id}` }, `S${state.id}`)),
      metrics.map((metric) => el("td", { class: "number" }, number(state.scores?.[metric]))),
      el("td", { class: "weights" }, weightsLine(state.weights, run.losses)),
      el("td", {}, words),
    );
  }

  return el(
    "section", {},
    el("h2", {}, "Undo to an earlier state"),
    offered.length
      ? [
        el("div", { class: "scroll picker", tabindex: 0, role: "region", "aria-label": "States to go back to" }, el(
          "table", {},
          el("thead", {}, el("tr", {}, ["state", ...metrics, "weights", ""].map((h) => el("th", { scope: "col" }, h)))),
          el("tbody", {}, offered.map(choice)),
        )),
        el("p", {}, button),
      ]
      : el("p", { class: "quiet" }, "There is no earlier state whose checkpoint is still there."),
  );
}
