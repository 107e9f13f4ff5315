// The list of runs.

import { get, path } from "./api.js";
import { el, fill } from "./dom.js";
import { ago, plural } from "./format.js";
import { makeParts } from "./parts.js";
import { link } from "./routes.js";
import { status } from "./words.js";

const EVERY = 4000;

/** Mounts the list; returns {destroy()}. */
export function runs(root, onError) {
  const list = el("div", { class: "runs" });
  const part = makeParts(list);
  let timer = 0;
  let stopped = false;
  fill(root, el("h1", {}, "Runs"), list);

  async function ask() {
    try {
      if (!document.hidden) show(await get(path("runs")));
      onError(null);
    } catch (error) {
      if (!stopped) onError(error);
    }
    if (!stopped) timer = setTimeout(ask, EVERY);
  }

  function show(found) {
    if (stopped) return;
    // The time goes into the signature in words, so that a row is redrawn when its words change.
    part("runs", found.map((run) => [run, ago(run.modified)]), (rows) => table(rows));
  }

  ask();
  return {
    destroy() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function table(rows) {
  if (!rows.length) return el("p", { class: "quiet" }, "There is no run in this folder yet.");
  return el("ul", { class: "cards" }, rows.map(([run, when]) => el(
    "li", {},
    el("a", { class: "card", href: link(run.id), "data-focus": run.id },
      el("span", { class: "title" }, run.name, el("span", { class: `chip ${run.status}` }, status(run.status))),
      el("span", { class: "bar" }, progress(run)),
      el("span", {}, `${run.agent ?? "no agent"} \u00b7 ${stages(run)}`, run.selected !== null && run.selected !== undefined ? ` \u00b7 selected S${run.selected}` : ""),
      el("span", { class: "quiet" }, `${when} \u00b7 ${run.folder}`),
      run.problem ? el("span", { class: "trouble" }, run.problem) : null,
    ),
    run.open ? el("a", { class: "button", href: link(run.id, "rate") }, `Rate ${plural(run.open, "task")}`) : null,
  )));
}

const done = (run) => run.scored ?? 0;

function stages(run) {
  return run.stages ? `${done(run)} of ${run.stages} stages` : plural(done(run), "stage");
}

function progress(run) {
  const bar = el("span", { class: "done" });
  bar.style.width = `${run.stages ? Math.min(100, (100 * done(run)) / run.stages) : 0}%`;
  return bar;
}
