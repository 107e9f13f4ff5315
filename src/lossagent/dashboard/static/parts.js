// Parts of a page that are redrawn only when their data changes; open details, and the rest of the page, survive.

import { el } from "./dom.js";

function openKeys(node) {
  const found = new Map();
  for (const details of node.querySelectorAll("details[data-key]")) found.set(details.dataset.key, details.open);
  return found;
}

/** A holder of parts. `part(key, data, render)` calls render(data) -> node when data differs from the last call. */
export function makeParts(root) {
  const known = new Map();
  return function part(key, data, render) {
    const signature = JSON.stringify(data) ?? "";
    const old = known.get(key);
    if (old && old.signature === signature) return old.node;
    const node = render(data) ?? el("div", { hidden: true });
    node.dataset.part = key;
    if (old) {
      const open = openKeys(old.node);
      for (const details of node.querySelectorAll("details[data-key]")) {
        if (open.has(details.dataset.key)) details.open = open.get(details.dataset.key);
      }
      const focused = old.node.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
      old.node.replaceWith(node);
      if (focused) node.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    } else {
      root.append(node);
    }
    known.set(key, { signature, node });
    return node;
  };
}
