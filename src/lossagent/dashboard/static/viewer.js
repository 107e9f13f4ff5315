// Two pictures of the same scene: side by side, with a divider, or one after the other at the same place.

import { makeDivider } from "./divider.js";
import { el, fill, say } from "./dom.js";
import { makePane } from "./pane.js";
import { makeView } from "./view.js";

/** A viewer. `show(left, right)` takes {src, alt, label}; `mode("side" | "slider" | "flicker")` lays out anew. */
export function makeViewer() {
  const view = makeView();
  const node = el("div", { class: "viewer" });
  let layout = null;
  let pictures = null;
  let name = "side";

  function mode(wanted) {
    name = wanted;
    if (!pictures) return;
    layout?.destroy();
    node.dataset.mode = name;
    layout = { side, slider, flicker }[name](node, view);
    layout.show(...pictures);
  }

  function show(left, right) {
    pictures = [left, right];
    if (layout) layout.show(left, right);
    else mode(name);
  }

  return {
    node, view, show, mode,
    panes: () => layout?.panes ?? [],
    flip: () => layout?.flip?.(),
    destroy: () => layout?.destroy(),
  };
}

function frame(pane, caption) {
  return el("figure", { class: "framed" }, pane.node, caption);
}

/** Panes that take the picture's shape, within what the window allows. */
function shaped(node, panes) {
  for (const pane of panes) {
    pane.onShape = (shape) => {
      node.dispatchEvent(new CustomEvent("shape"));
      node.style.setProperty("--shape", String(Math.min(3, Math.max(0.5, shape))));
    };
  }
}

function side(node, view) {
  const panes = [makePane(view, "Left picture"), makePane(view, "Right picture")];
  const captions = panes.map(() => el("figcaption"));
  shaped(node, panes);
  fill(node, panes.map((pane, i) => frame(pane, captions[i])));
  return {
    panes,
    show: (...pictures) => pictures.forEach((picture, i) => {
      panes[i].show([picture]);
      say(captions[i], picture.label);
    }),
    destroy: () => panes.forEach((pane) => pane.destroy()),
  };
}

function slider(node, view) {
  const pane = makePane(view, "Both pictures");
  const captions = [el("span"), el("span")];
  let divider = null;
  shaped(node, [pane]);
  fill(node, frame(pane, el("figcaption", { class: "ends" }, captions)));
  return {
    show(left, right) {
      // The left picture lies on top (images.css) and the divider clips it.
      pane.show([left, right]);
      divider ??= makeDivider(pane);
      divider.draw();
      say(captions[0], `\u2190 ${left.label}`);
      say(captions[1], `${right.label} \u2192`);
    },
    destroy() {
      divider?.destroy();
      pane.destroy();
    },
  };
}

function flicker(node, view) {
  const pane = makePane(view, "One picture at a time");
  const caption = el("figcaption", { role: "status" });
  const button = el("button", { type: "button", onclick: () => flip() }, "Show the other picture");
  let second = false;
  let labels = ["", ""];
  let from = null;
  shaped(node, [pane]);
  pane.node.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; });
  pane.node.addEventListener("click", (event) => {
    // A tap shows the other picture; the end of a drag does not.
    if (from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 6) flip();
  });
  fill(node, frame(pane, caption), el("div", { class: "group" }, button));

  function draw() {
    pane.sheet.classList.toggle("second", second);
    say(caption, labels[Number(second)]);
  }

  function flip() {
    second = !second;
    draw();
  }

  return {
    flip,
    show(left, right) {
      labels = [left.label, right.label];
      pane.show([left, right]);
      draw();
    },
    destroy: () => pane.destroy(),
  };
}
