// Names of the series, each a switch.

import { el, fill, svg } from "./dom.js";
import { outline } from "./shapes.js";

function sample(entry) {
  const inner = entry.shape
    ? svg("path", { class: `mark ${entry.look ?? ""}`, d: outline(entry.shape, 11, 6, entry.shape === "star" ? 6 : 4) })
    : entry.area
      ? svg("path", { class: `area ${entry.style}`, d: "M2,1H20V11H2Z" })
      : svg("path", { class: `line ${entry.style ?? ""} ${entry.look ?? ""}`, d: "M1,6H21" });
  return svg("svg", { width: 22, height: 12, viewBox: "0 0 22 12", "aria-hidden": "true" }, inner);
}

/** A legend; `hidden` is the set of keys that are off, `onChange` is told when it changed. */
export function makeLegend(hidden, onChange) {
  const node = el("div", { class: "legend" });
  let shown = "";

  function update(entries) {
    const signature = JSON.stringify(entries);
    if (signature === shown) return;
    shown = signature;
    fill(node, entries.map((entry) => {
      if (entry.fixed) return el("span", { class: "key" }, sample(entry), entry.label);
      const button = el("button", { type: "button", "aria-pressed": String(!hidden.has(entry.key)), title: "Show or hide" }, sample(entry), entry.label);
      button.addEventListener("click", () => {
        if (hidden.has(entry.key)) hidden.delete(entry.key);
        else hidden.add(entry.key);
        button.setAttribute("aria-pressed", String(!hidden.has(entry.key)));
        onChange();
      });
      return button;
    }));
  }

  return { node, update };
}
