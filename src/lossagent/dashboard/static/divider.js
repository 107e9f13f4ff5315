// The divider of slider mode: to its left one picture, to its right the other.

import { el } from "./dom.js";

/** Puts a divider over a pane of two pictures; the first is seen left of it. */
export function makeDivider(pane) {
  const handle = el("div", {
    class: "handle", tabindex: 0, role: "slider", "aria-label": "Divider between the two pictures", "aria-orientation": "horizontal",
    "aria-valuemin": 0, "aria-valuemax": 100,
  }, el("span", { class: "grip", "aria-hidden": "true" }));
  let part = 0.5;
  let held = false;

  function draw() {
    const [over] = pane.sheet.querySelectorAll("img");
    const box = pane.node.getBoundingClientRect();
    handle.style.left = `${100 * part}%`;
    handle.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    handle.setAttribute("aria-valuetext", `${Math.round(100 * part)} % left picture`);
    if (!over || !box.width) return;
    const sheet = pane.sheet.getBoundingClientRect();
    const cut = sheet.width ? (box.left + part * box.width - sheet.left) / sheet.width : part;
    over.style.clipPath = `inset(0 ${100 * (1 - Math.min(1, Math.max(0, cut)))}% 0 0)`;
  }

  function move(to) {
    part = Math.min(1, Math.max(0, to));
    draw();
  }

  const where = (event) => {
    const box = pane.node.getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  handle.addEventListener("pointerdown", (event) => {
    held = true;
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    handle.focus();
  });
  handle.addEventListener("pointermove", (event) => {
    if (held) move(where(event));
  });
  for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, () => { held = false; });
  handle.addEventListener("dblclick", (event) => {
    event.stopPropagation();
    move(0.5);
  });
  handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const wanted = { ArrowLeft: part - step, ArrowRight: part + step, Home: 0, End: 1 }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    move(wanted);
  });
  const unsubscribe = pane.view.subscribe(draw);
  const watcher = new ResizeObserver(draw);
  watcher.observe(pane.node);
  pane.node.append(handle);
  for (const image of pane.sheet.querySelectorAll("img")) image.addEventListener("load", draw);
  draw();
  return {
    draw,
    destroy() {
      unsubscribe();
      watcher.disconnect();
      handle.remove();
    },
  };
}
