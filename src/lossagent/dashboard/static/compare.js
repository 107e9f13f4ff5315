// Any two states of an image, or its input and its reference.

import { picture } from "./api.js";
import { el, fill, unique } from "./dom.js";
import { number } from "./format.js";
import { fate, lineage } from "./history.js";
import { folder, note } from "./routes.js";
import { makeViewer } from "./viewer.js";

const MODES = [["side", "Side by side"], ["slider", "Slider"], ["flicker", "Flicker"]];

/** Mounts the page; returns {update(run), destroy()}. */
export function compare(root, query) {
  const viewer = makeViewer();
  const choice = { image: query.image, left: query.left, right: query.right, mode: MODES.some(([m]) => m === query.mode) ? query.mode : "side" };
  const selects = { image: el("select", { id: unique("image") }), left: el("select", { id: unique("left") }), right: el("select", { id: unique("right") }) };
  const modes = el("div", { class: "switch", role: "group", "aria-label": "How the two are compared" });
  const scale = el("output", { class: "quiet" }, "100\u202f%");
  const bar = el(
    "div", { class: "controls" },
    labelled("Image", selects.image, stepper(selects.image)), labelled("Left", selects.left), labelled("Right", selects.right),
    el("button", { type: "button", class: "small", onclick: swap, title: "Exchange left and right" }, "\u21c4 Swap"),
    modes,
    el("button", { type: "button", class: "small", onclick: () => viewer.view.reset() }, "Reset zoom"), scale,
  );
  const help = el("p", { class: "quiet help" }, "Wheel or pinch zooms both, drag moves, double click resets. Slider: drag the divider or use the arrow keys. Flicker: space bar or a tap.");
  let run = null;
  let listed = "";
  fill(root, el("h1", {}, "Images"), bar, viewer.node, help);
  for (const [key, label] of MODES) modes.append(el("button", { type: "button", class: "small", "data-mode": key, onclick: () => setMode(key) }, label));
  for (const [key, select] of Object.entries(selects)) select.addEventListener("change", () => {
    choice[key] = select.value;
    draw();
  });
  viewer.view.subscribe(({ scale: times }) => { scale.textContent = `${Math.round(100 * times)}\u202f%`; });
  document.addEventListener("keydown", keys);
  setMode(choice.mode);

  function setMode(mode) {
    choice.mode = mode;
    for (const button of modes.children) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    viewer.mode(mode);
    if (run) draw();
  }

  function keys(event) {
    if (event.key !== " " || choice.mode !== "flicker" || event.target.closest("button, input, select, textarea, a")) return;
    event.preventDefault();
    viewer.flip();
  }

  function swap() {
    [choice.left, choice.right] = [choice.right, choice.left];
    draw();
  }

  function update(now) {
    run = now;
    const kept = lineage(run.states, run.head);
    const sides = [
      ...(run.inputs === false ? [] : [["input", "input"]]),
      ...(run.references ? [["reference", "reference"]] : []),
      ...run.states.filter((s) => s.trained ?? s.scored).map((s) => [folder(s.id), [`state ${s.id}`, fate(run, s, kept)].filter(Boolean).join(", ")]),
    ];
    const signature = JSON.stringify([run.images, sides]);
    if (signature === listed) return;
    listed = signature;
    if (!run.images.length || !sides.length) return void fill(viewer.node, el("p", {}, "This run has no pictures yet."));
    const has = (side) => sides.some(([key]) => key === side);
    choice.image = run.images.includes(choice.image) ? choice.image : run.images[0];
    choice.left = has(choice.left) ? choice.left : has(folder(0)) ? folder(0) : sides[0][0];
    choice.right = has(choice.right) ? choice.right : preferred(run, has) ?? sides.at(-1)[0];
    fill(selects.image, run.images.map((image) => el("option", { value: image }, image)));
    for (const key of ["left", "right"]) fill(selects[key], sides.map(([side, label]) => el("option", { value: side }, label)));
    draw();
  }

  function draw() {
    if (!run?.images.length || !choice.left) return;
    for (const [key, select] of Object.entries(selects)) select.value = choice[key];
    note(run.id, "compare", { image: choice.image, left: choice.left, right: choice.right, mode: choice.mode });
    const named = (side) => {
      const label = selects.left.querySelector(`option[value="${CSS.escape(side)}"]`)?.textContent ?? side;
      return { src: picture(run.id, side, choice.image), alt: `${choice.image}, ${label}`, label: `${label}${scoresOf(side)}` };
    };
    viewer.show(named(choice.left), named(choice.right));
  }

  function scoresOf(side) {
    const state = run.states.find((s) => folder(s.id) === side);
    const target = run.goal?.targets?.[0]?.metric;
    const score = target ? state?.scores?.[target] : undefined;
    return Number.isFinite(score) ? ` \u00b7 mean ${target} ${number(score)}` : "";
  }

  return {
    update,
    destroy() {
      document.removeEventListener("keydown", keys);
      viewer.destroy();
    },
  };
}

function preferred(run, has) {
  return [run.selected, run.head].filter(Number.isFinite).map(folder).find(has);
}

function labelled(text, select, more = null) {
  return el("div", { class: "field" }, el("label", { for: select.id }, text), el("div", { class: "group" }, select, more));
}

function stepper(select) {
  const go = (step) => () => {
    const next = (select.selectedIndex + step + select.options.length) % select.options.length;
    select.selectedIndex = next;
    select.dispatchEvent(new Event("change"));
  };
  return [
    el("button", { type: "button", class: "small", "aria-label": "Previous image", onclick: go(-1) }, "\u2039"),
    el("button", { type: "button", class: "small", "aria-label": "Next image", onclick: go(1) }, "\u203a"),
  ];
}
