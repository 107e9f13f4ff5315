// The states of a run as a tree: what led to the head, and what was undone.

/** Ids from S_0 to the head, and on to a state that is still in the making. */
export function lineage(states, id) {
  const byId = new Map(states.map((state) => [state.id, state]));
  const way = new Set();
  let state = byId.get(id);
  while (state && !way.has(state.id)) {
    way.add(state.id);
    state = byId.get(state.parent);
  }
  const last = states.at(-1);
  if (last && !last.scored && last.parent === id) way.add(last.id);
  return way;
}

/** A series over states: the line that led to the head, the strokes of undone stages, all points. */
export function curve(states, kept, value) {
  const byId = new Map(states.map((state) => [state.id, state]));
  const main = [];
  const undone = [];
  const points = { kept: [], undone: [] };
  for (const state of states) {
    const y = value(state);
    if (kept.has(state.id)) main.push([state.id, y]);
    if (!Number.isFinite(y)) continue;
    points[kept.has(state.id) ? "kept" : "undone"].push([state.id, y]);
    const parent = byId.get(state.parent);
    if (kept.has(state.id) || !parent) continue;
    const before = value(parent);
    if (Number.isFinite(before)) undone.push([parent.id, before, state.id, y]);
  }
  return { main, undone, points };
}

/** The state with the best score of a metric, null where none has one. */
export function best(states, metric, way) {
  let found = null;
  for (const state of states) {
    const score = state.scores?.[metric];
    if (!Number.isFinite(score)) continue;
    if (found === null || (way === "lower" ? score < found.scores[metric] : score > found.scores[metric])) found = state;
  }
  return found;
}

/** What happened to a state, in a word or two. */
export function fate(run, state, kept) {
  if (state.id === run.selected) return "selected";
  if (state.id === run.head) return "head";
  if (!state.scored) return "not scored yet";
  return kept.has(state.id) ? "" : "undone";
}
