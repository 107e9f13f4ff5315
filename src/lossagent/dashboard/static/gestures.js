// Wheel, drag, pinch, double click and keys on a pane; all change the shared view.

import { fitted, held } from "./view.js";

/** Makes a pane listen; returns a function that ends it. */
export function gestures(pane) {
  const { node, view } = pane;
  const fingers = new Map();
  let grip = null;

  const size = () => ({ width: node.clientWidth, height: node.clientHeight });

  function around(pixelX, pixelY, factor) {
    const { width, height } = size();
    const fit = fitted(width, height, pane.shape);
    const at = held(view, width, height, fit);
    const scale = Math.min(64, Math.max(1, view.scale * factor));
    // The point of the picture under the pointer stays under it.
    const dx = pixelX - width / 2;
    const dy = pixelY - height / 2;
    const x = at.x + (dx / fit.width) * (1 / view.scale - 1 / scale);
    const y = at.y + (dy / fit.height) * (1 / view.scale - 1 / scale);
    apply(scale, x, y);
  }

  function apply(scale, x, y) {
    const { width, height } = size();
    const fit = fitted(width, height, pane.shape);
    const at = held({ scale, x, y }, width, height, fit);
    view.set(scale, at.x, at.y);
  }

  function pan(dx, dy) {
    const { width, height } = size();
    const fit = fitted(width, height, pane.shape);
    const at = held(view, width, height, fit);
    apply(view.scale, at.x - dx / (fit.width * view.scale), at.y - dy / (fit.height * view.scale));
  }

  const place = (event) => {
    const box = node.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function wheel(event) {
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 20 : event.deltaY;
    around(...place(event), Math.exp(-Math.max(-60, Math.min(60, step)) / (event.ctrlKey ? 60 : 200)));
  }

  function down(event) {
    if (event.button !== 0 || event.target.closest(".handle")) return;
    node.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    grip = middle();
  }

  function move(event) {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, place(event));
    const now = middle();
    if (now.spread && grip.spread) around(now.x, now.y, now.spread / grip.spread);
    pan(now.x - grip.x, now.y - grip.y);
    grip = now;
  }

  function up(event) {
    fingers.delete(event.pointerId);
    if (fingers.size) grip = middle();
  }

  function middle() {
    const points = [...fingers.values()];
    const x = points.reduce((sum, p) => sum + p[0], 0) / points.length;
    const y = points.reduce((sum, p) => sum + p[1], 0) / points.length;
    return { x, y, spread: points.length > 1 ? Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1]) : 0 };
  }

  function key(event) {
    if (event.target !== node || event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = size();
    const step = 60;
    const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key === "+" || event.key === "=") around(width / 2, height / 2, 1.5);
    else if (event.key === "-") around(width / 2, height / 2, 1 / 1.5);
    else if (event.key === "0") view.reset();
    else if (event.key in pans && view.scale > 1) pan(...pans[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const reset = () => view.reset();
  const listeners = { wheel, pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, dblclick: reset, keydown: key };
  for (const [name, listener] of Object.entries(listeners)) node.addEventListener(name, listener, { passive: false });
  return () => {
    for (const [name, listener] of Object.entries(listeners)) node.removeEventListener(name, listener);
  };
}
