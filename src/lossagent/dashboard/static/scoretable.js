// Scores of a state against its parent and the start, and image by image.

import { el } from "./dom.js";
import { direction, number, sign, signed } from "./format.js";
import { folder, link } from "./routes.js";
import { role } from "./words.js";

/** One row a metric. */
export function scoreTable(metrics, state, parent, start) {
  const names = Object.keys(metrics ?? {});
  if (!names.length || !state.scored) return el("section", {}, el("p", { class: "quiet" }, state.scored ? "No metric." : "Not scored yet."));
  return el(
    "section", {},
    el("h2", {}, "Scores"),
    el("div", { class: "scroll" }, el(
      "table", {},
      el("thead", {}, el("tr", {}, ["metric", "", "score", parent ? `change from state ${parent.id}` : "change", "95 % interval", "start"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, names.map((name) => row(name, metrics[name], state, parent, start))),
    )),
  );
}

function row(name, facts, state, parent, start) {
  const score = state.scores?.[name];
  const before = parent?.scores?.[name];
  const change = state.change?.[name] ?? (Number.isFinite(score) && Number.isFinite(before) ? score - before : null);
  const interval = state.noise?.[name];
  const clear = interval ? interval[0] > 0 || interval[1] < 0 : state.beyond?.[name];
  const good = facts.direction && change !== null && clear ? (sign(facts.direction) * change > 0 ? "better" : "worse") : "";
  return el(
    "tr", {},
    el("th", { scope: "row" }, name, el("span", { class: "quiet block" }, role(facts.role))),
    el("td", { class: "quiet number" }, direction(facts.direction)),
    el("td", { class: "number strong", title: facts.implementation }, number(score)),
    el("td", { class: `number ${good}` }, signed(change), change === null ? "" : ` ${good || (clear === false ? "within noise" : clear ? "more than noise" : "noise not known")}`),
    el("td", { class: "number" }, interval ? `${signed(interval[0])} to ${signed(interval[1])}` : "\u2013"),
    el("td", { class: "number" }, number(start?.scores?.[name])),
  );
}

/** Scores image by image, folded; each image leads to its comparison. */
export function imageTable(run, id, parent, scores) {
  const metrics = Object.keys(scores);
  const images = [...new Set(metrics.flatMap((metric) => Object.keys(scores[metric])))];
  if (!images.length) return null;
  const before = folder(parent ?? 0);
  return el(
    "details", { class: "wide", "data-key": "by-image" },
    el("summary", {}, `Scores of ${images.length} images`),
    el("div", { class: "scroll" }, el(
      "table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "image"), metrics.map((m) => el("th", { scope: "col" }, m)))),
      el("tbody", {}, images.map((image) => el(
        "tr", {},
        el("th", { scope: "row" }, run.images.includes(image) ? el("a", { href: link(run.id, "compare", { left: before, right: folder(id), image }) }, image) : image),
        metrics.map((m) => el("td", { class: "number" }, number(scores[m][image]))),
      ))),
    )),
  );
}
