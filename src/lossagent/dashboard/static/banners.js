// What must be seen first: waiting, pause, alarms, requests, warnings.

import { el } from "./dom.js";
import { plural } from "./format.js";
import { link } from "./routes.js";

function banner(kind, title, ...body) {
  return el("div", { class: `banner ${kind}`, role: kind === "alarm" ? "alert" : "status", "data-banner": kind }, el("strong", {}, title), body);
}

/** Banners of a run, as parts of a page. */
export function showBanners(part, run) {
  part("waiting", { waiting: run.waiting, open: run.open, id: run.id, deadline: run.deadline }, waiting);
  part("paused", { paused: run.paused, id: run.id }, paused);
  const alarms = run.states.filter((state) => state.alarm?.length);
  part("alarm", { id: run.id, states: alarms.slice(-3).map((s) => [s.id, s.alarm]), more: alarms.length - 3 }, alarm);
  part("requests", run.requests ?? [], requests);
  part("warnings", run.warnings ?? [], warnings);
}

function waiting({ waiting: sentence, open, id, deadline }) {
  if (!sentence && !open) return null;
  return banner(
    "waiting", "Waiting for people.", sentence ? el("p", {}, sentence) : null,
    deadline ? el("p", { class: "quiet" }, `Until ${new Date(deadline * 1000).toLocaleString()}; after that the weights stay as they are.`) : null,
    open ? el("p", {}, el("a", { class: "button", href: link(id, "rate") }, `Rate ${plural(open, "task")}`)) : null,
  );
}

function paused({ paused: isPaused, id }) {
  if (!isPaused) return null;
  return banner("paused", "Paused by hand.", el("p", {}, "The run waits at a stage boundary. ", el("a", { href: link(id, "steer") }, "Let it go on")));
}

function alarm({ id, states, more }) {
  if (!states.length) return null;
  return banner(
    "alarm", "Alarm: the objective rises while a guard falls.",
    el("ul", {}, states.map(([state, sentences]) => el("li", {}, el("a", { href: link(id, `state/${state}`) }, `State ${state}`), `: ${sentences.join(" ")}`))),
    more > 0 ? el("p", { class: "quiet" }, `and at ${plural(more, "earlier state")}`) : null,
  );
}

function requests(list) {
  if (!list.length) return null;
  return banner(
    "requests", "Asked for; the run reads requests at the next stage boundary.",
    el("ul", {}, list.map((request) => el("li", {}, el("q", {}, request.text), ` \u2014 ${request.author}`, el("span", { class: "quiet" }, request.pending === false ? " (read: it holds for the next decision)" : " (not read yet)")))),
  );
}

function warnings(list) {
  if (!list.length) return null;
  return el(
    "details", { class: "banner warnings", "data-key": "warnings" },
    el("summary", {}, plural(list.length, "warning")),
    el("ul", {}, list.map((text) => el("li", {}, text))),
  );
}
