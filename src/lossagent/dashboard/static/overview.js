// A run at a glance, kept up to date.

import { showBanners } from "./banners.js";
import { makeChart } from "./chart.js";
import { limitWords, rawModel, scoreModel, shareModel, weightModel } from "./curves.js";
import { el, fill } from "./dom.js";
import { direction, number, plural } from "./format.js";
import { lineage } from "./history.js";
import { makeLink } from "./link.js";
import { makeParts } from "./parts.js";
import { stateTable } from "./statetable.js";
import { treeModel } from "./tree.js";

const ORDER = { target: 0, constraint: 1, guard: 2 };

/** Mounts the overview; returns {update(run), destroy()}. */
export function overview(root) {
  const shared = makeLink();
  const charts = new Map();
  const banners = el("div", { class: "banners" });
  const facts = el("div", { class: "facts" });
  const scores = el("div", { class: "charts" });
  const inner = el("div", { class: "charts three" });
  const tree = el("div", { class: "charts one" });
  const table = el("div");
  const switcher = el("div", { class: "switch", role: "group", "aria-label": "How weights are shown" });
  const parts = { banners: makeParts(banners), facts: makeParts(facts), table: makeParts(table) };
  let relative = true;
  let more = 0;
  let run = null;

  for (const [label, value] of [["relative to the anchor", true], ["as they are", false]]) {
    switcher.append(el("button", { type: "button", class: "small", "aria-pressed": String(value), onclick: (event) => {
      relative = value;
      for (const button of switcher.children) button.setAttribute("aria-pressed", String(button === event.currentTarget));
      if (run) update(run);
    } }, label));
  }
  fill(
    root, banners, facts,
    el("section", {}, el("h2", {}, "Scores"), scores),
    el("section", {}, el("div", { class: "row" }, el("h2", {}, "Weights and losses"), switcher), inner),
    el("section", {}, el("h2", {}, "States in the order of decisions"), tree),
    table,
  );

  function chart(key, holder, title, height) {
    if (!charts.has(key)) {
      const made = makeChart({ title, link: shared, height, name: key });
      charts.set(key, made);
      holder.append(made.node);
    }
    return charts.get(key);
  }

  function update(now) {
    run = now;
    showBanners(parts.banners, run);
    parts.facts("goal", goalOf(run), goal);
    const kept = lineage(run.states, run.head);
    parts.facts("scored", run.states.some((s) => s.scored), (any) => (any ? null : el("p", { class: "quiet" }, "No state is scored yet: curves appear as soon as one is.")));
    const metrics = Object.entries(run.metrics ?? {}).sort(([, a], [, b]) => (ORDER[a.role] ?? 3) - (ORDER[b.role] ?? 3));
    for (const [metric] of metrics) chart(`score:${metric}`, scores, metric, 210).update(scoreModel(run, metric, kept));
    chart("weights", inner, "Weights").update(weightModel(run, kept, relative));
    chart("shares", inner, "Shares of the gradient").update(shareModel(run, kept));
    chart("raw", inner, "Raw losses").update(rawModel(run, kept));
    chart("tree", tree, "Tree of states", 150).update(treeModel(run, kept, metrics[0]?.[0]));
    parts.table("states", [run.states, run.head, run.selected, more, run.losses, run.metrics], () => stateTable(run, kept, more, () => {
      more += 200;
      update(run);
    }));
  }

  return {
    update,
    destroy() {
      for (const made of charts.values()) made.destroy();
    },
  };
}

function goalOf(run) {
  const { goal, agent, head, selected, rule, panel, stages, seed } = run;
  return { goal, agent, head, selected, rule, panel, stages, seed, scored: run.states.filter((s) => s.scored && s.id > 0).length };
}

function goal(facts) {
  const { targets = [], constraints = [], wish } = facts.goal ?? {};
  const item = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  const panel = facts.panel ?? {};
  const agreed = panel.consistency?.repeated ? `; ${panel.consistency.agreed} of ${panel.consistency.repeated} repeated pairs agree` : "";
  return el(
    "dl", { class: "facts" },
    targets.length ? item(targets.length > 1 ? "Targets" : "Target", targets.map((t) => `${t.metric} ${direction(t.direction)}${targets.length > 1 ? ` (importance ${number(t.importance)})` : ""}`).join(", ")) : null,
    constraints.length ? item("Constraints", constraints.map((c) => `${c.metric} ${limitWords(c)}`).join(", ")) : null,
    wish ? item("Wish", el("q", {}, wish)) : null,
    item("Agent", facts.agent),
    item("Scored", facts.stages ? `${facts.scored} of ${facts.stages} stages` : plural(facts.scored, "stage")),
    Number.isFinite(facts.head) ? item("Head", `S${facts.head}`) : null,
    facts.selected !== null && facts.selected !== undefined ? item("Selected", `S${facts.selected}`, facts.rule ? el("span", { class: "quiet" }, ` ${facts.rule}`) : null) : null,
    panel.comparisons ? item("People", `${panel.comparisons} comparisons by ${Array.isArray(panel.raters) ? panel.raters.length : panel.raters}${agreed}`) : null,
  );
}
