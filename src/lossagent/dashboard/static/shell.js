// The frame around every page: name, status, tabs, colour scheme, lost connection.

import { logOut, onConnection, session } from "./api.js";
import { el, fill } from "./dom.js";
import { link } from "./routes.js";
import { status } from "./words.js";

const SCHEMES = ["auto", "light", "dark"];
const SYMBOLS = { auto: "\u25d0", light: "\u2600", dark: "\u263e" };
const TABS = [["overview", "", "Overview"], ["compare", "compare", "Images"], ["pareto", "pareto", "Pareto"], ["rate", "rate", "Rate"], ["steer", "steer", "Steer"]];

const top = document.getElementById("top");
const parts = { tabs: el("nav", { "aria-label": "Pages of the run", hidden: true }), name: el("span", { class: "name" }) };
let shown = "";

/** Builds the frame once. */
export function frame() {
  const scheme = el("button", { type: "button", class: "icon", onclick: () => colour((SCHEMES.indexOf(chosen()) + 1) % SCHEMES.length) });
  const out = el("button", { type: "button", class: "small", hidden: true, onclick: logOut }, "Log out");
  fill(top, el("a", { class: "home", href: "#/" }, "lossagent"), parts.name, parts.tabs, scheme, out);
  session().then((found) => { out.hidden = !found.password; }, () => {});
  colour(SCHEMES.indexOf(chosen()));
  const lost = document.getElementById("connection");
  onConnection((isLost) => {
    lost.hidden = !isLost;
    lost.textContent = isLost ? "No connection to the dashboard\u2019s server. What is shown may be old; trying again every few seconds." : "";
  });

  function colour(index) {
    const name = SCHEMES[index];
    try {
      localStorage.setItem("lossagent.scheme", name);
    } catch {
      // Private windows may refuse; the choice then lasts as long as the page.
    }
    document.documentElement.style.colorScheme = name === "auto" ? "light dark" : name;
    scheme.textContent = SYMBOLS[name];
    scheme.setAttribute("aria-label", `Colours: ${name}. Change`);
    scheme.title = `Colours: ${name}`;
    scheme.dataset.scheme = name;
  }

  function chosen() {
    if (scheme.dataset.scheme) return scheme.dataset.scheme;
    try {
      const saved = localStorage.getItem("lossagent.scheme");
      return SCHEMES.includes(saved) ? saved : "auto";
    } catch {
      return "auto";
    }
  }
}

/** Shows whose pages these are; `run` is null on the list of runs, {id} until more is known. */
export function header(run, page) {
  const signature = JSON.stringify([run?.id, run?.name, run?.status, run?.open, page]);
  if (signature === shown) return;
  shown = signature;
  parts.tabs.hidden = !run;
  top.dataset.page = page ?? "";
  document.title = run ? `${run.name ?? run.id} \u2013 lossagent` : "lossagent";
  fill(parts.name, run ? [el("a", { href: link(run.id) }, run.name ?? run.id), run.status ? el("span", { class: `chip ${run.status}` }, status(run.status)) : null] : []);
  if (!run) return fill(parts.tabs);
  return fill(parts.tabs, TABS.map(([key, path, label]) => el(
    "a", { href: link(run.id, path), "aria-current": page === key ? "page" : null }, label,
    key === "rate" && run.open ? el("span", { class: "count", "aria-label": `${run.open} open` }, run.open) : null,
  )));
}
