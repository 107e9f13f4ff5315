// Steering by hand: pause, go on, stop, next weights, undo. Everything is a request that the run reads when it can.

import { post } from "./api.js";
import { showBanners } from "./banners.js";
import { confirmed } from "./confirm.js";
import { el, fill, say } from "./dom.js";
import { makeParts } from "./parts.js";
import { recall, remember } from "./person.js";
import { undoPicker } from "./undo.js";
import { weightsForm } from "./weightsform.js";

const CONTROLS = [
  ["pause", "Pause", "The run waits at the next stage boundary until somebody lets it go on.", (run) => run.status !== "finished" && !run.paused],
  ["go-on", "Go on", "A paused run goes on.", (run) => run.paused || run.status === "paused"],
  ["stop", "Stop after this stage", "The run ends after this stage and can be resumed later.", (run) => run.status !== "finished" && run.status !== "stopped"],
];

/** Mounts the page; `refresh` asks for the run again. Returns {update(run), destroy()}. */
export function steering(root, refresh) {
  const banners = el("div", { class: "banners" });
  const name = el("input", { id: "author", value: recall(), maxlength: 80, required: true, autocomplete: "nickname" });
  const answer = el("p", { class: "answer", role: "status" });
  const control = el("div", { class: "group" });
  const body = el("div");
  const parts = { banners: makeParts(banners), body: makeParts(body) };
  let run = null;
  let form = null;
  let formOf = "";
  const weights = el("section");
  fill(
    root, el("h1", {}, "Steer by hand"),
    el("p", { class: "quiet" }, "Requests go into the run\u2019s mailbox. The run reads them at the next stage boundary and records them as decisions of a human; until then they stand below as asked for."),
    banners,
    el("div", { class: "field narrow" }, el("label", { for: "author" }, "Your name"), name),
    answer,
    el("section", {}, el("h2", {}, "The run"), control),
    weights, body,
  );
  const over = el("p", { class: "quiet", hidden: true }, "This run is not at work: requests stay in its mailbox until it is resumed.");
  control.after(over);
  const buttons = CONTROLS.map(([kind, label, words, possible]) => {
    const button = el("button", { type: "button", title: words, "data-control": kind, onclick: () => ask(label, el("p", {}, words), { kind }, label) }, label);
    control.append(button);
    return { button, possible };
  });

  async function ask(title, words, letter, yes) {
    const author = name.value.trim();
    if (!author) {
      say(answer, "Say who you are first: requests are recorded with a name.");
      name.focus();
      return;
    }
    remember(author);
    if (!(await confirmed(title, words, yes))) return;
    try {
      await post(run.id, { ...letter, author });
      answer.classList.remove("trouble");
      say(answer, `${title}: asked for. The run reads it at the next stage boundary.`);
      if (letter.kind === "weights") form?.settle();
      refresh();
    } catch (error) {
      answer.classList.add("trouble");
      say(answer, `Not sent: ${error.message}`);
    }
    answer.scrollIntoView({ block: "nearest" });
  }

  function update(now) {
    run = now;
    showBanners((key, data, render) => (key === "warnings" ? null : parts.banners(key, data, render)), run);
    over.hidden = !["finished", "stopped"].includes(run.status);
    for (const { button, possible } of buttons) button.disabled = !possible(run);
    const signature = JSON.stringify([run.losses, run.bounds]);
    if (signature !== formOf) {
      formOf = signature;
      form = weightsForm(run, ask);
      fill(weights, form.node);
    }
    form.update(run);
    parts.body("undo", [run.states, run.head, run.selected, run.metrics], () => undoPicker(run, ask));
  }

  return { update };
}
