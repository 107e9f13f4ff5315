// Any two metrics of all states: which compromises are not beaten in both.

import { get, path } from "./api.js";
import { el, fill, unique } from "./dom.js";
import { direction, number, plural } from "./format.js";
import { makeLegend } from "./legend.js";
import { link, note } from "./routes.js";
import { makeScatter } from "./scatter.js";

/** Mounts the page; returns {update(run), destroy()}. */
export function pareto(root, query, onError) {
  const selects = { x: el("select", { id: unique("x") }), y: el("select", { id: unique("y") }) };
  const scatter = makeScatter();
  const legend = makeLegend(new Set(), () => {});
  const words = el("p", { class: "quiet", role: "status" });
  const body = el("div", {}, scatter.node, legend.node, words);
  const choice = { ...query };
  let run = null;
  let asked = "";
  let stopped = false;
  legend.update([
    { key: "front", label: "not beaten in both", shape: "diamond", look: "front", fixed: true },
    { key: "behind", label: "beaten", shape: "dot", look: "behind", fixed: true },
    { key: "start", label: "start", shape: "triangle", look: "start", fixed: true },
    { key: "selected", label: "selected", shape: "star", look: "selected", fixed: true },
  ]);
  fill(root, el("h1", {}, "Two scores against each other"), el(
    "div", { class: "controls" },
    ["x", "y"].map((axis) => el("div", { class: "field" }, el("label", { for: selects[axis].id }, axis === "x" ? "Across" : "Upward"), selects[axis])),
  ), body);
  for (const axis of ["x", "y"]) selects[axis].addEventListener("change", () => {
    choice[axis] = selects[axis].value;
    update(run);
  });

  function update(now) {
    run = now;
    const names = Object.keys(run.metrics ?? {});
    body.hidden = names.length < 2;
    if (body.hidden) return;
    const targets = (run.goal?.targets ?? []).map((t) => t.metric).filter((m) => names.includes(m));
    if (!names.includes(choice.x)) choice.x = targets[0] ?? names[0];
    if (!names.includes(choice.y)) choice.y = targets[1] ?? names.find((m) => m !== choice.x);
    for (const axis of ["x", "y"]) {
      if (selects[axis].options.length !== names.length) fill(selects[axis], names.map((name) => el("option", { value: name }, name)));
      selects[axis].value = choice[axis];
    }
    const signature = JSON.stringify([run.revision, run.selected, choice.x, choice.y]);
    if (signature === asked) return;
    asked = signature;
    note(run.id, "pareto", { x: choice.x, y: choice.y });
    load(choice.x, choice.y).catch((error) => {
      asked = "";
      if (!stopped) onError(error);
    });
  }

  async function load(x, y) {
    const found = await get(path("run", run.id, "pareto", { x, y }));
    if (stopped || x !== choice.x || y !== choice.y) return;
    onError(null);
    const axis = (name) => ({ name, better: direction(run.metrics[name].direction).slice(2) });
    scatter.update({
      x: axis(x),
      y: axis(y),
      points: found.points.map((p) => ({ ...p, mark: p.state === run.selected ? "selected" : p.state === 0 ? "start" : null })),
      tell: (p) => ({
        title: `State ${p.state}`,
        note: p.front ? "not beaten in both" : "beaten by another state in both",
        rows: [{ label: x, value: number(p.x) }, { label: y, value: number(p.y) }],
        href: link(run.id, `state/${p.state}`),
        open: `Open state ${p.state}`,
      }),
    });
    const front = found.points.filter((p) => p.front).map((p) => `S${p.state}`);
    words.textContent = found.points.length ? `${plural(found.points.length, "state")}; not beaten: ${front.slice(0, 20).join(", ")}${front.length > 20 ? " \u2026" : ""}.` : "No state has both scores yet.";
  }

  return {
    update,
    destroy() {
      stopped = true;
      scatter.destroy();
    },
  };
}
