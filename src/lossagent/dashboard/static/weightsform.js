// The next weights by hand: a slider with equal steps for equal factors, a number, and the bounds.

import { el, fill, say, unique } from "./dom.js";
import { number, percent } from "./format.js";
import { look } from "./palette.js";
import { allowed, currentWeights, sharesAt } from "./bounds.js";

const STEPS = 1000;

/** The form; `update(run)` follows the run where nobody has changed a field, `settle()` after sending. */
export function weightsForm(run, ask) {
  const rows = run.losses.map((name) => makeRow(name, run.losses, changed));
  const button = el("button", { type: "submit", class: "primary", "data-control": "weights" }, "Set the next weights \u2026");
  const words = el("p", { class: "quiet", role: "status" });
  let state = run;
  let dirty = false;
  const node = el(
    "form", { class: "weightsform", onsubmit: submit },
    el("h2", {}, "Next weights"),
    el("p", { class: "quiet" }, "0 or the switch turns a loss off. The bounds of the run hold for people as for its agent."),
    rows.map((row) => row.node),
    words,
    el("div", { class: "group" }, button, el("button", { type: "button", onclick: reset }, "Back to the current weights")),
  );

  function changed() {
    dirty = true;
    check();
  }

  function reset() {
    dirty = false;
    update(state);
  }

  function update(now) {
    state = now;
    const current = currentWeights(state);
    for (const row of rows) row.place(allowed(state.bounds, row.name, current[row.name]), current[row.name], dirty);
    check();
  }

  function check() {
    const wanted = values();
    const problems = rows.map((row) => row.problem()).filter(Boolean);
    if (!problems.length && !Object.values(wanted).some((value) => value > 0)) problems.push("At least one loss must be on.");
    button.disabled = problems.length > 0 || !dirty;
    say(words, problems.join(" ") || (dirty ? "" : "These are the current weights: change one to ask for others."));
    const head = state.states.find((s) => s.id === state.head);
    const shares = sharesAt(head, currentWeights(state), wanted);
    for (const row of rows) row.share(shares?.[row.name]);
    return problems.length === 0;
  }

  const values = () => Object.fromEntries(rows.map((row) => [row.name, row.value()]));

  function submit(event) {
    event.preventDefault();
    if (!check()) return;
    const current = currentWeights(state);
    const wanted = values();
    ask("Set the next weights", el("table", {}, el("tbody", {}, run.losses.map((name) => el(
      "tr", {}, el("th", { scope: "row" }, name),
      el("td", { class: "number" }, current[name] ? number(current[name]) : "off"), el("td", {}, "\u2192"),
      el("td", { class: "number strong" }, wanted[name] ? number(wanted[name]) : "off"),
    )))), { kind: "weights", weights: wanted }, "Set these weights");
  }

  return { node, update, settle: reset };
}

function makeRow(name, losses, onChange) {
  const [slider, field, on] = [unique("slider"), unique("number"), unique("on")];
  const range = el("input", { type: "range", id: slider, min: 0, max: STEPS, step: 1, "aria-label": `${name}, logarithmic slider` });
  const input = el("input", { type: "number", id: field, min: 0, step: "any", inputmode: "decimal", "data-weight": name });
  const check = el("input", { type: "checkbox", id: on });
  const ends = [el("span", { class: "quiet edge" }), el("span", { class: "quiet edge" })];
  const hint = el("p", { class: "quiet hint" });
  const meter = el("span", { class: `meter ${look(losses, name)}` });
  const part = el("span", { class: "quiet" });
  const trouble = el("p", { class: "trouble hint", role: "status" });
  let limits = null;
  const node = el(
    "fieldset", { class: "weight" },
    el("legend", {}, el("span", { class: `swatch ${look(losses, name)}` }), name),
    el("div", { class: "group" }, check, el("label", { for: on }, "on"), ends[0], range, ends[1], el("label", { for: field, class: "unseen" }, `weight of ${name}`), input),
    hint, el("p", { class: "hint" }, meter, part), trouble,
  );

  const toSlider = (value) => Math.round((STEPS * Math.log(value / limits.low)) / Math.log(limits.high / limits.low));
  const fromSlider = (step) => limits.low * (limits.high / limits.low) ** (step / STEPS);
  range.addEventListener("input", () => {
    check.checked = true;
    input.value = String(Number(fromSlider(Number(range.value)).toPrecision(3)));
    onChange();
  });
  input.addEventListener("input", () => {
    const value = Number(input.value);
    check.checked = value > 0;
    if (value > 0) range.value = String(toSlider(value));
    onChange();
  });
  check.addEventListener("change", onChange);

  function place(now, current, keep) {
    limits = now;
    range.disabled = limits.frozen || limits.low === limits.high;
    input.disabled = limits.frozen;
    check.disabled = limits.frozen || !limits.switchable;
    range.setAttribute("aria-valuetext", input.value);
    fill(hint, limits.words);
    ends.forEach((end, i) => say(end, limits.frozen ? "" : number(i ? limits.high : limits.low, 2)));
    if (keep) return;
    check.checked = current > 0;
    input.value = current > 0 ? String(Number(current.toPrecision(4))) : String(Number(limits.start.toPrecision(3)));
    range.value = String(toSlider(Number(input.value)));
    input.dataset.exact = String(current);
  }

  /** The weight asked for; an untouched field keeps all digits of the current weight. */
  function value() {
    if (!check.checked) return 0;
    const exact = Number(input.dataset.exact);
    return exact > 0 && Number(exact.toPrecision(4)) === Number(input.value) ? exact : Number(input.value);
  }

  function problem() {
    const wanted = value();
    let text = "";
    if (check.checked && (input.value.trim() === "" || !Number.isFinite(wanted) || wanted < 0)) text = `${name}: a number of at least 0 is needed.`;
    else if (wanted > 0 && !limits.frozen && (wanted < limits.low * 0.999 || wanted > limits.high * 1.001)) text = `${name}: ${number(wanted)} is outside the bounds, ${limits.range}.`;
    say(trouble, text);
    return text;
  }

  function share(value01) {
    node.classList.toggle("off", !check.checked);
    meter.style.width = `${Math.round(120 * (value01 ?? 0))}px`;
    say(part, value01 === undefined ? "" : `${percent(value01)} of the gradient, if nothing else changed`);
    range.setAttribute("aria-valuetext", input.value);
  }

  return { name, node, place, value, problem, share };
}
