// Answers on their way: held for a few seconds so that a slip can be taken back, sent again where sending fails.

import { post } from "./api.js";
import { el } from "./dom.js";

const HOLD = 3000;
const RETRY = 4000;

/** An outbox of a run. `put` holds an answer; the one before it is sent at once. */
export function makeOutbox(run, { onUndo, onChange, onTrouble }) {
  let held = null;
  let timer = 0;
  const sending = new Set();
  const known = new Set();

  function put(task, letter) {
    flush();
    known.add(task.id);
    held = { task, letter };
    timer = setTimeout(flush, HOLD);
    onChange();
  }

  function flush(last = false) {
    clearTimeout(timer);
    if (!held) return;
    const item = held;
    held = null;
    send(item, last);
    if (!last) onChange();
  }

  async function send(item, last = false) {
    sending.add(item);
    try {
      await post(run, item.letter, last);
    } catch (error) {
      if (error.status === 0) {
        setTimeout(() => send(item), RETRY);
        return;
      }
      // 409: answered already, which is what was wanted.
      if (error.status !== 409) {
        known.delete(item.task.id);
        sending.delete(item);
        onTrouble(error, item.task);
      }
    }
    sending.delete(item);
    onChange();
  }

  function undo() {
    if (!held) return;
    clearTimeout(timer);
    const { task, letter } = held;
    held = null;
    known.delete(task.id);
    onUndo(task, letter);
  }

  function describe() {
    if (held) return [el("span", {}, `${words(held.letter)}.`), el("button", { type: "button", class: "small", onclick: undo }, "Undo", el("kbd", {}, "u"))];
    return sending.size ? [el("span", {}, "Sending \u2026")] : [];
  }

  const leave = () => flush(true);
  window.addEventListener("pagehide", leave);
  return {
    put, undo, describe,
    holds: (id) => known.has(id),
    get empty() {
      return held === null && !sending.size;
    },
    destroy() {
      flush(true);
      window.removeEventListener("pagehide", leave);
    },
  };
}

function words(letter) {
  if (letter.rating) return `You gave ${letter.rating} of 5`;
  return { left: "You said: left better", right: "You said: right better", tie: "You said: tie" }[letter.verdict] ?? "Comment noted";
}
