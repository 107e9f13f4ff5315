// Weights proposed and applied, thoughts, remarks, and what other weights would have done.

import { el } from "./dom.js";
import { number, percent, signed, weightsLine } from "./format.js";
import { look } from "./palette.js";
import { link } from "./routes.js";
import { adjustment } from "./words.js";

/** Who decided, from where, and what became of the proposal. */
export function weightTable(run, made) {
  const before = made.before?.weights ?? {};
  const moved = (name) => made.proposed && made.weights && Math.abs((made.proposed[name] ?? 0) - (made.weights[name] ?? 0)) > 1e-12 * (made.weights[name] ?? 0);
  return el(
    "section", {},
    el("h2", {}, "Decision"),
    el("p", {}, "By ", el("strong", {}, made.author ?? "nobody"), ", starting from ",
      made.restart_from === null || made.restart_from === undefined ? "nothing" : el("a", { href: link(run.id, `state/${made.restart_from}`) }, `state ${made.restart_from}`),
      made.judged ? `. It saw ${made.judged} comparison${made.judged === 1 ? "" : "s"} by people.` : "."),
    made.adjusted_by?.length ? el("ul", { class: "chips", "aria-label": "What changed the proposal" }, made.adjusted_by.map((word) => el("li", { class: "chip" }, adjustment(word)))) : null,
    el("div", { class: "scroll" }, el(
      "table", {},
      el("thead", {}, el("tr", {}, ["loss", "before", "proposed", "applied", "factor"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, run.losses.map((name) => el(
        "tr", {},
        el("th", { scope: "row" }, el("span", { class: `swatch ${look(run.losses, name)}` }), name),
        el("td", { class: "number" }, weight(before[name])),
        el("td", { class: `number ${moved(name) ? "struck" : ""}` }, weight(made.proposed?.[name])),
        el("td", { class: "number strong" }, weight(made.weights?.[name])),
        el("td", { class: "number" }, factor(before[name], made.weights?.[name])),
      ))),
    )),
  );
}

const weight = (value) => (value === 0 ? "off" : number(value));

function factor(before, after) {
  if (!before || !after) return "\u2013";
  return Math.abs(after / before - 1) < 1e-9 ? "kept" : `\u00d7${number(after / before, 3)}`;
}

/** Reasons in words; shown, never followed. */
export function thoughts(made) {
  if (!made.thoughts) return null;
  return el("section", {}, el("h2", {}, "Thoughts"), el("blockquote", { class: "said" }, made.thoughts, el("cite", {}, `\u2014 ${made.author}`)));
}

/** Remarks with their authors. */
export function quotes(heading, remarks) {
  if (!remarks.length) return null;
  return el("section", {}, el("h2", {}, heading), el("div", { class: "quotes" }, remarks.map((remark) => el(
    "blockquote", { class: "said" }, remark.text, el("cite", {}, `\u2014 ${remark.author}${remark.image ? `, of ${remark.image}` : ", of all images"}`),
  ))));
}

/** What one weight times a factor would have done. */
export function whatIf(losses, made) {
  const rows = made.what_if ?? [];
  if (!rows.length) return null;
  const now = made.before?.shares ?? {};
  const name = (loss) => el("th", { scope: "col" }, el("span", { class: `swatch ${look(losses, loss)}` }), `share of ${loss}`);
  return el(
    "section", {},
    el("h2", {}, "What if"),
    el("p", { class: "quiet" }, `One weight changed at state ${made.restart_from}: which share of the gradient each loss would have, and how the size of the whole gradient would change.`),
    el("div", { class: "scroll" }, el(
      "table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "change"), losses.map(name), el("th", { scope: "col" }, "gradient"))),
      el("tbody", {},
        el("tr", { class: "base" }, el("th", { scope: "row" }, "as it is"), losses.map((loss) => share(losses, loss, now[loss])), el("td", { class: "number" }, "\u2013")),
        rows.map((row) => el(
          "tr", { title: weightsLine(row.weights, losses) },
          el("th", { scope: "row" }, `${row.loss} \u00d7${number(row.factor)}`),
          losses.map((loss) => share(losses, loss, row.shares?.[loss])),
          el("td", { class: "number" }, row.gradient === null || row.gradient === undefined ? "\u2013" : `${signed(100 * row.gradient, 2)}\u202f%`),
        ))),
    )),
  );
}

function share(losses, loss, value) {
  const bar = el("span", { class: `meter ${look(losses, loss)}` });
  bar.style.width = `${Math.round(60 * Math.min(1, Math.max(0, value ?? 0)))}px`;
  return el("td", { class: "number" }, bar, percent(value, 1));
}
