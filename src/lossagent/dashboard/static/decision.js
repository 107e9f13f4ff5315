// One state: its scores, and the decision behind it with everything that led to it.

import { get, path } from "./api.js";
import { makeChart } from "./chart.js";
import { commentForm } from "./comment.js";
import { stageModel } from "./curves.js";
import { el, fill } from "./dom.js";
import { exchanges } from "./exchanges.js";
import { fate, lineage } from "./history.js";
import { makeLink } from "./link.js";
import { makeParts } from "./parts.js";
import { folder, link } from "./routes.js";
import { imageTable, scoreTable } from "./scoretable.js";
import { quotes, thoughts, weightTable, whatIf } from "./decisionparts.js";

/** Mounts the page of state `id`; returns {update(run), destroy()}. */
export function decision(root, id, onError) {
  const head = el("div");
  const body = el("div", { class: "decision" });
  const below = el("div");
  const parts = { head: makeParts(head), body: makeParts(body) };
  const chart = makeChart({ title: "Losses during the stage", link: makeLink(), name: "stage" });
  chart.node.hidden = true;
  let asked = "";
  let stopped = false;
  fill(root, head, body, el("section", {}, el("div", { class: "charts one" }, chart.node)), below);

  function update(run) {
    const state = run.states.find((s) => s.id === id);
    const kept = lineage(run.states, run.head);
    const ids = run.states.map((s) => s.id);
    const word = state ? fate(run, state, kept) : "";
    parts.head("title", { run: run.id, id, word, parent: state?.parent, ids: [ids[0], ids.at(-1)], images: run.images.length > 0 }, title);
    if (!state) return parts.body("missing", id, () => el("p", {}, `There is no state ${id} in this run yet.`));
    const parent = run.states.find((s) => s.id === state.parent);
    const start = run.states.find((s) => s.id === 0);
    parts.head("notes", [state.alarm, state.problems, state.unanswered], notes);
    parts.body("scores", [state, parent, start, run.metrics], () => scoreTable(run.metrics, state, parent, start));
    const signature = JSON.stringify(state);
    if (signature !== asked) {
      asked = signature;
      load(run, state).catch((error) => {
        asked = "";
        if (!stopped) onError(error);
      });
    }
    if (!below.firstChild) below.append(commentForm(run.id, id, run.images));
    return undefined;
  }

  async function load(run, state) {
    const none = (error) => {
      if (error.status === 404) return null;
      throw error;
    };
    const [made, said, log] = await Promise.all([
      state.parent === null ? null : get(path("run", run.id, "decision", id)).catch(none),
      get(path("run", run.id, "state", id)).catch(none),
      get(path("run", run.id, "losses", { state: id, points: 400 })).catch(none),
    ]);
    if (stopped) return;
    const { losses } = run;
    if (made) {
      parts.body("weights", [made.proposed, made.weights, made.before, made.author, made.adjusted_by, made.judged, made.restart_from, losses], () => weightTable(run, made));
      parts.body("thoughts", [made.thoughts, made.author], () => thoughts(made));
      parts.body("read", made.remarks ?? [], (remarks) => quotes(`What was said of state ${made.restart_from}, read by the author`, remarks));
      parts.body("exchanges", made.exchanges ?? [], exchanges);
      parts.body("whatif", [made.what_if, made.before, losses], () => whatIf(losses, made));
    } else {
      parts.body("weights", "none", () => el("section", {}, el("h2", {}, "Decision"), el("p", { class: "quiet" }, id === 0 ? "State 0 is where the run starts: nobody decided it." : "No decision is recorded.")));
    }
    parts.body("remarks", said?.remarks ?? [], (remarks) => quotes("What was said of this state", remarks));
    parts.body("images", [said?.scores ?? {}, state.parent], ([scores, before]) => imageTable(run, id, before, scores));
    chart.node.hidden = !log || log.iteration.length < 2;
    if (!chart.node.hidden) chart.update(stageModel(run, log));
  }

  return {
    update,
    destroy() {
      stopped = true;
      chart.destroy();
    },
  };
}

function title({ run, id, word, parent, ids, images }) {
  const step = (other, text, sign) => (other < ids[0] || other > ids[1] ? el("span", { class: "button off", "aria-hidden": "true" }, sign) : el("a", { class: "button", href: link(run, `state/${other}`), "aria-label": text, "data-focus": text }, sign));
  const hasParent = parent !== null && parent !== undefined;
  return el(
    "div", { class: "row" },
    el("h1", {}, `State ${id}`, word ? el("span", { class: "chip" }, word) : null),
    el("div", { class: "group" },
      step(id - 1, "Previous state", "\u2039"), step(id + 1, "Next state", "\u203a"),
      hasParent ? el("a", { class: "button", href: link(run, `state/${parent}`) }, `From state ${parent}`) : null,
      images ? el("a", { class: "button", href: link(run, "compare", { left: folder(hasParent ? parent : 0), right: folder(id) }) }, "Compare images") : null,
    ),
  );
}

function notes([alarm, problems, unanswered]) {
  const lines = [
    ...(alarm ?? []).map((text) => el("li", { class: "trouble" }, `Alarm: ${text}`)),
    ...Object.entries(problems ?? {}).map(([name, why]) => el("li", {}, `${name}: ${why}`)),
    unanswered ? el("li", {}, "People were asked and did not answer in time.") : null,
  ].filter(Boolean);
  return lines.length ? el("ul", { class: "banner alarm" }, lines) : null;
}
