// What the charts of a run show: models made of the run's states.

import { direction, number, percent, plural, signed } from "./format.js";
import { best, curve, fate } from "./history.js";
import { look } from "./palette.js";
import { link } from "./routes.js";
import { band, line, marks, rule, strokes } from "./shapes.js";
import { role } from "./words.js";

const DOTS = 160;
const UNDONE = { key: "undone", label: "undone", shape: "dot", look: "hollow", fixed: true };
const SELECTED = { key: "selected", label: "selected", shape: "star", look: "selected", fixed: true };
const ALARM = { key: "alarm", label: "alarm", shape: "cross", look: "alarm", fixed: true };
const BEST = { key: "best", label: "best", shape: "diamond", look: "best", fixed: true };

function layersOf(key, style, series) {
  return [
    strokes(`${key}:undone`, key, series.undone, `${style} undone`),
    line(`${key}:line`, key, series.main, style),
    marks(`${key}:hollow`, key, series.points.undone, { size: 2.6, look: `${style} hollow`, most: DOTS }),
    marks(`${key}:dots`, key, series.points.kept, { size: 3, look: style, most: DOTS }),
  ];
}

function heading(run, kept, state) {
  const word = fate(run, state, kept);
  return {
    title: `State ${state.id}`,
    note: [word, state.parent === null ? "before any stage" : `from state ${state.parent}`, state.author].filter(Boolean).join(" \u00b7 "),
    href: link(run.id, `state/${state.id}`),
    open: `Open state ${state.id}`,
  };
}

function teller(run, kept, rows) {
  const byId = new Map(run.states.map((state) => [state.id, state]));
  return (x) => {
    const state = byId.get(x);
    return state ? { ...heading(run, kept, state), rows: rows(state) } : null;
  };
}

const idsOf = (run) => run.states.map((state) => state.id);

function limitsOf(run, metric) {
  const start = run.states.find((state) => state.id === 0)?.scores?.[metric];
  return (run.goal?.constraints ?? []).filter((c) => c.metric === metric).map((c) => {
    const least = c.at_least !== null && c.at_least !== undefined;
    const value = least ? c.at_least : c.at_most;
    const base = { absolute: 0, start }[c.relative_to];
    return { words: limitWords(c), at: Number.isFinite(base) ? base + value : null };
  });
}

/** A constraint in words: "at least 27.4", "may fall at most 0.3 below the start". */
export function limitWords(constraint) {
  const least = constraint.at_least !== null && constraint.at_least !== undefined;
  const value = least ? constraint.at_least : constraint.at_most;
  if (constraint.relative_to === "absolute") return `at ${least ? "least" : "most"} ${number(value)}`;
  const base = constraint.relative_to === "start" ? "the start" : "the fixed run";
  return `at ${least ? "least" : "most"} ${base} ${signed(value)}`;
}

/** Scores of one metric with the noise of each change. */
export function scoreModel(run, metric, kept) {
  const facts = run.metrics[metric];
  const series = curve(run.states, kept, (state) => state.scores?.[metric]);
  const byId = new Map(run.states.map((state) => [state.id, state]));
  const around = (state) => {
    const interval = state.noise?.[metric];
    const before = byId.get(state.parent)?.scores?.[metric];
    return interval && Number.isFinite(before) ? [state.id, before + interval[0], before + interval[1]] : null;
  };
  const bands = run.states.filter((s) => kept.has(s.id)).map(around).filter(Boolean);
  const start = byId.get(0)?.scores?.[metric];
  if (bands[0]?.[0] === 1 && Number.isFinite(start)) bands.unshift([0, start, start]);
  const whiskers = run.states.filter((s) => !kept.has(s.id)).map(around).filter(Boolean).map(([x, a, b]) => [x, a, x, b]);
  const limits = limitsOf(run, metric);
  const top = best(run.states, metric, facts.direction);
  const chosen = byId.get(run.selected);
  const at = (state) => (state && Number.isFinite(state.scores?.[metric]) ? [[state.id, state.scores[metric]]] : []);
  return {
    title: metric,
    note: [direction(facts.direction), role(facts.role), ...limits.map((l) => l.words)].filter(Boolean).join(" \u00b7 "),
    xs: idsOf(run),
    legend: [
      ...(bands.length ? [{ key: "noise", label: "95 % noise", area: true, style: "score" }] : []),
      ...(limits.some((l) => l.at !== null) ? [{ key: "limit", label: "limit", look: "limit" }] : []),
      ...(series.points.undone.length ? [UNDONE] : []),
      ...(facts.direction ? [BEST] : []),
      ...(chosen ? [SELECTED] : []),
      ...(run.states.some((s) => s.alarm?.length) ? [ALARM] : []),
    ],
    layers: [
      band("noise", "noise", bands, "area score"),
      strokes("whiskers", "noise", whiskers, "whisker"),
      ...limits.filter((l) => l.at !== null).map((l, i) => rule(`limit:${i}`, "limit", l.at)),
      ...layersOf("score", "score", series),
      marks("best", "best", facts.direction ? at(top) : [], { shape: "diamond", size: 6, look: "best" }),
      marks("selected", "selected", at(chosen), { shape: "star", size: 8, look: "selected" }),
      marks("alarm", "alarm", run.states.filter((s) => s.alarm?.length).flatMap(at), { shape: "cross", size: 5, look: "alarm" }),
    ],
    tell: teller(run, kept, (state) => scoreRows(state, metric)),
    describe: scoreWords(series, top, metric, facts),
  };
}

function scoreRows(state, metric) {
  const score = state.scores?.[metric];
  const interval = state.noise?.[metric];
  const rows = [{ label: metric, value: number(score), style: "score" }];
  if (interval) rows.push({ label: "change, 95 %", value: `${signed(interval[0])} to ${signed(interval[1])}` });
  if (!Number.isFinite(score)) rows.push({ label: "missing", value: state.problems?.[metric] ?? "no score" });
  if (state.alarm?.length) rows.push({ label: "alarm", value: plural(state.alarm.length, "sentence") });
  return rows;
}

function scoreWords(series, top, metric, facts) {
  const count = series.points.kept.length + series.points.undone.length;
  const found = top && facts.direction ? ` Best: ${number(top.scores[metric])} at state ${top.id}.` : "";
  return `${plural(count, "state")}, ${direction(facts.direction)}.${found}`;
}

/** Weights of each stage: relative to the anchor, or as they are; both on a logarithmic axis. */
export function weightModel(run, kept, relative) {
  const anchor = run.anchor;
  const value = (name) => (state) => {
    const weights = state.weights;
    if (!weights || !(weights[name] > 0) || state.off?.includes(name)) return null;
    if (!relative) return weights[name];
    return weights[anchor] > 0 ? weights[name] / weights[anchor] : null;
  };
  const names = relative ? run.losses.filter((name) => name !== anchor) : run.losses;
  const ratio = (state, name) => value(name)(state);
  return {
    title: relative ? `Weights relative to ${anchor}` : "Weights",
    note: relative ? "log-ratio to the anchor: equal steps are equal factors" : "logarithmic axis",
    log: true,
    xs: idsOf(run),
    legend: names.map((name) => ({ key: name, label: name, style: look(run.losses, name) })),
    layers: names.flatMap((name) => layersOf(name, look(run.losses, name), curve(run.states, kept, value(name)))),
    yText: relative ? (tick) => `\u00d7${number(tick)}` : undefined,
    tell: teller(run, kept, (state) => names.map((name) => ({
      label: name,
      style: look(run.losses, name),
      value: weightValue(state, name, ratio(state, name), relative),
    }))),
    describe: `${names.join(", ")}.`,
  };
}

function weightValue(state, name, shown, relative) {
  if (!state.weights) return "no stage yet";
  if (state.off?.includes(name) || !state.weights[name]) return "off";
  return relative ? `\u00d7${number(shown)} (ln ${signed(Math.log(shown))})` : number(shown);
}

/** Unweighted losses at the end of each stage. */
export function rawModel(run, kept) {
  const names = run.losses;
  return {
    title: "Raw losses",
    note: "unweighted, at the end of each stage; logarithmic axis \u00b7 \u2193 lower is better",
    log: true,
    xs: idsOf(run),
    legend: names.map((name) => ({ key: name, label: name, style: look(names, name) })),
    layers: names.flatMap((name) => layersOf(name, look(names, name), curve(run.states, kept, (state) => state.raw?.[name]))),
    tell: teller(run, kept, (state) => names.map((name) => ({ label: name, value: number(state.raw?.[name]), style: look(names, name) }))),
    describe: `${names.join(", ")}.`,
  };
}

/** Shares of the gradient on the way to the head, stacked to 100 %. */
export function shareModel(run, kept) {
  const names = run.losses;
  const way = run.states.filter((state) => kept.has(state.id) && Object.keys(state.shares ?? {}).length);
  return {
    title: "Shares of the gradient",
    note: "of each weighted loss, on the way to the head",
    domain: [0, 1],
    xs: idsOf(run),
    layers: (hidden) => stacked(way, names.filter((name) => !hidden.has(name)), names),
    legend: names.map((name) => ({ key: name, label: name, style: look(names, name), area: true })),
    yText: (tick) => percent(tick),
    tell: teller(run, kept, (state) => names.map((name) => ({ label: name, value: percent(state.shares?.[name], 1), style: look(names, name) }))),
    describe: `${names.join(", ")}.`,
  };
}

function stacked(way, shown, names) {
  const floor = new Map(way.map((state) => [state.id, 0]));
  return shown.flatMap((name) => {
    const points = way.map((state) => {
      const low = floor.get(state.id);
      const high = low + (state.shares[name] ?? 0);
      floor.set(state.id, high);
      return [state.id, low, high];
    });
    return [
      band(`${name}:area`, name, points, `area stack ${look(names, name)}`),
      line(`${name}:line`, name, points.map(([x, , high]) => [x, high]), look(names, name)),
    ];
  });
}

/** Losses inside one stage, iteration by iteration. */
export function stageModel(run, log) {
  const names = run.losses.filter((name) => (log.raw[name] ?? []).some(Number.isFinite));
  const index = new Map(log.iteration.map((iteration, i) => [iteration, i]));
  return {
    title: "Losses during the stage",
    note: "raw, by iteration; logarithmic axis",
    log: true,
    xs: log.iteration,
    legend: names.map((name) => ({ key: name, label: name, style: look(run.losses, name) })),
    layers: names.map((name) => line(`${name}:line`, name, log.iteration.map((x, i) => [x, log.raw[name][i]]), look(run.losses, name))),
    tell: (x) => ({
      title: `Iteration ${x}`,
      rows: names.map((name) => ({ label: name, value: number(log.raw[name][index.get(x)]), style: look(run.losses, name) })),
    }),
    describe: `${names.join(", ")}, ${plural(log.iteration.length, "point")}.`,
  };
}
