// Words about a state, unasked.

import { post } from "./api.js";
import { el, say, unique } from "./dom.js";
import { recall, remember } from "./person.js";

/** A small form that sends a comment to the run. */
export function commentForm(run, state, images) {
  const [name, image, text] = [unique("name"), unique("image"), unique("text")];
  const answer = el("p", { role: "status" });
  const fields = {
    name: el("input", { id: name, value: recall(), maxlength: 80, required: true, autocomplete: "nickname" }),
    image: el("select", { id: image }, el("option", { value: "" }, "all images"), images.map((i) => el("option", { value: `=${i}` }, i))),
    text: el("textarea", { id: text, rows: 3, maxlength: 4000, required: true }),
  };
  const button = el("button", { type: "submit" }, "Send the remark");
  return el(
    "section", { class: "comment" },
    el("h2", {}, "Say something of this state"),
    el("form", { onsubmit: send },
      el("label", { for: name }, "Your name"), fields.name,
      el("label", { for: image }, "About"), fields.image,
      el("label", { for: text }, "Remark"), fields.text,
      el("div", { class: "group" }, button), answer),
  );

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      remember(fields.name.value);
      await post(run, { kind: "comment", rater: fields.name.value.trim(), state, image: fields.image.value ? fields.image.value.slice(1) : null, text: fields.text.value });
      fields.text.value = "";
      say(answer, "Sent. The run reads it at the next stage boundary.");
    } catch (error) {
      say(answer, `Not sent: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  }
}
