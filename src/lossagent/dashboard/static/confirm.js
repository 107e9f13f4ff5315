// A step between asking and doing.

import { el, fill } from "./dom.js";

const box = el("dialog", { class: "confirm" });

/** Shows what would be asked for; resolves to whether it was confirmed. */
export function confirmed(title, body, yes) {
  if (!box.isConnected) document.body.append(box);
  return new Promise((resolve) => {
    const done = (answer) => () => {
      box.close();
      resolve(answer);
    };
    fill(
      box, el("h2", { id: "confirm-title" }, title), body,
      el("p", { class: "quiet" }, "The run reads it at the next stage boundary."),
      el("div", { class: "group end" },
        el("button", { type: "button", onclick: done(false) }, "Cancel"),
        el("button", { type: "button", class: "primary", "data-confirm": "yes", onclick: done(true) }, yes)),
    );
    box.setAttribute("aria-labelledby", "confirm-title");
    box.oncancel = () => resolve(false);
    box.showModal();
    box.querySelector("[data-confirm]").focus();
  });
}
