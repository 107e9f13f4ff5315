// Questions and raw answers, as they were: text, folded.

import { el } from "./dom.js";
import { duration, plural } from "./format.js";

/** The exchanges behind a decision. */
export function exchanges(list) {
  if (!list.length) return null;
  return el("section", {}, el("h2", {}, plural(list.length, "question")), list.map(exchange));
}

function exchange(one) {
  const facts = [one.author, one.image ? `about ${one.image}` : null, one.tokens ? plural(one.tokens, "token") : null, one.seconds ? duration(one.seconds) : null].filter(Boolean).join(" \u00b7 ");
  return el(
    "details", { class: "exchange", "data-key": `exchange:${one.key}` },
    el("summary", {}, el("strong", {}, one.key), ` ${facts}`, one.problem ? el("span", { class: "chip trouble" }, "not usable") : null),
    one.problem ? el("p", { class: "trouble" }, one.problem) : null,
    (one.messages ?? []).map((message, i) => el(
      "details", { class: "message", "data-key": `message:${one.key}:${i}` },
      el("summary", {}, `Prompt: ${message.role} (${plural(String(message.content).length, "character")})`),
      el("pre", { tabindex: 0 }, message.content),
    )),
    el("h3", {}, "Raw answer"),
    one.raw === null || one.raw === undefined ? el("p", { class: "quiet" }, "None came.") : el("pre", { class: "raw", tabindex: 0 }, one.raw),
    one.thoughts ? [el("h3", {}, "Thoughts"), el("blockquote", { class: "said" }, one.thoughts)] : null,
  );
}
