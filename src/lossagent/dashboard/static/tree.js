// Lanes of the tree of states: the way to the head is straight, an undone branch takes the next free lane.

import { line, marks, strokes } from "./shapes.js";
import { number, weightsLine } from "./format.js";
import { fate } from "./history.js";
import { link } from "./routes.js";

/** id -> lane; 0 is the way to the head. */
export function lanes(states, kept) {
  const lane = new Map();
  const lastUse = [];
  const children = new Map();
  for (const state of states) {
    if (state.parent !== null) children.set(state.parent, [...(children.get(state.parent) ?? []), state.id]);
  }
  const byId = new Map(states.map((state) => [state.id, state]));
  for (const state of states) {
    if (kept.has(state.id)) lane.set(state.id, 0);
    if (lane.has(state.id)) continue;
    // A branch is placed as a whole, from its first state to its last descendant, in the lowest lane that is free there.
    const branch = branchOf(state.id, children);
    const from = byId.get(state.parent)?.id ?? state.id;
    const to = branch.at(-1);
    let free = 1;
    while ((lastUse[free] ?? -1) >= from) free += 1;
    lastUse[free] = to;
    for (const id of branch) lane.set(id, free);
  }
  return lane;
}

function branchOf(id, children) {
  const branch = [id];
  for (;;) {
    const next = (children.get(branch.at(-1)) ?? []).at(-1);
    if (next === undefined) return branch;
    branch.push(next);
  }
}

/** The tree as a chart: states along x in the order of decisions, lanes along y. */
export function treeModel(run, kept, metric) {
  const lane = lanes(run.states, kept);
  const at = (state) => [state.id, -lane.get(state.id)];
  const byId = new Map(run.states.map((state) => [state.id, state]));
  const lowest = -Math.max(1, ...lane.values());
  const undone = run.states.filter((state) => !kept.has(state.id) && byId.has(state.parent));
  const way = run.states.filter((state) => kept.has(state.id));
  const named = (id) => (byId.has(id) ? [at(byId.get(id))] : []);
  const size = run.states.length > 300 ? 2 : run.states.length > 60 ? 3.5 : 5;
  return {
    title: "Tree of states",
    note: `${run.states.length} states, ${undone.length} undone`,
    domain: [lowest - 0.6, 0.8],
    xs: run.states.map((state) => state.id),
    legend: [
      { key: "way", label: "way to the head", shape: "dot", look: "way", fixed: true },
      ...(undone.length ? [{ key: "undone", label: "undone", shape: "dot", look: "hollow way", fixed: true }] : []),
      { key: "head", label: "head", shape: "diamond", look: "best", fixed: true },
      ...(byId.has(run.selected) ? [{ key: "selected", label: "selected", shape: "star", look: "selected", fixed: true }] : []),
    ],
    layers: [
      strokes("edges:undone", "undone", undone.map((s) => [...at(byId.get(s.parent)), ...at(s)]), "way undone"),
      line("edges:way", "way", way.map(at), "way"),
      marks("undone", "undone", undone.map(at), { size, look: "hollow way" }),
      marks("way", "way", way.map(at), { size, look: "way" }),
      marks("pruned", "pruned", run.states.filter((s) => !s.restorable).map(at), { shape: "cross", size: size * 0.6, look: "pruned" }),
      marks("head", "head", named(run.head), { shape: "diamond", size: 7, look: "best" }),
      marks("selected", "selected", named(run.selected), { shape: "star", size: 9, look: "selected" }),
      marks("alarm", "alarm", run.states.filter((s) => s.alarm?.length).map(at), { shape: "cross", size: size + 2, look: "alarm" }),
    ],
    yText: () => "",
    tell: (x) => {
      const state = byId.get(x);
      if (!state) return null;
      return {
        title: `State ${state.id}`,
        note: [fate(run, state, kept), state.parent === null ? "before any stage" : `from state ${state.parent}`].filter(Boolean).join(" \u00b7 "),
        href: link(run.id, `state/${state.id}`),
        open: `Open state ${state.id}`,
        rows: [
          ...(metric ? [{ label: metric, value: number(state.scores?.[metric]), style: "score" }] : []),
          { label: "weights", value: weightsLine(state.weights, run.losses) },
          { label: "start again from it", value: state.restorable ? "possible" : "no, its checkpoint is gone" },
        ],
      };
    },
    describe: `${run.states.length} states, ${undone.length} of them undone.`,
  };
}
