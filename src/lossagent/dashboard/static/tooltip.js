// The box beside the pointer: heading, then one line a value. Pinned, it can be clicked.

import { el, fill } from "./dom.js";

/** A tooltip inside a holder; `show(x, y, content, pinned)`, `hide()`. */
export function makeTooltip(holder) {
  const box = el("div", { class: "tooltip", role: "status", "aria-live": "polite", hidden: true });
  holder.append(box);
  let shown = "";

  function show(x, y, content, pinned) {
    const signature = JSON.stringify([content, pinned]);
    if (signature !== shown) {
      fill(
        box,
        el("strong", {}, content.title),
        content.note ? el("span", { class: "quiet" }, content.note) : null,
        el("dl", {}, content.rows.map((row) => [
          el("dt", {}, el("span", { class: `swatch ${row.style ?? ""}` }), row.label),
          el("dd", {}, row.value),
        ])),
        pinned && content.href ? el("a", { href: content.href }, content.open) : null,
      );
      shown = signature;
    }
    box.hidden = false;
    box.classList.toggle("pinned", pinned);
    const room = holder.clientWidth;
    const width = box.offsetWidth;
    const left = x + 14 + width > room ? x - width - 14 : x + 14;
    box.style.left = `${Math.max(0, Math.min(left, room - width))}px`;
    box.style.top = `${Math.max(0, y)}px`;
  }

  function hide() {
    box.hidden = true;
  }

  return { box, show, hide };
}
