// Building the page. Data goes in as text nodes and as attributes of a fixed list, so it can never become markup.

const SVG = "http://www.w3.org/2000/svg";

const SAFE = new Set([
  "alt", "autocomplete", "checked", "class", "colspan", "d", "dir", "disabled", "download", "enterkeyhint", "for", "height", "hidden",
  "id", "inputmode", "lang", "max", "maxlength", "min", "name", "open", "placeholder", "role", "rows", "scope", "selected",
  "step", "tabindex", "title", "type", "value", "width", "cx", "cy", "r", "x", "y", "x1", "x2", "y1", "y2", "rx",
  "viewBox", "preserveAspectRatio", "text-anchor", "dominant-baseline", "transform", "clip-path", "decoding", "loading",
  "draggable", "list", "required", "spellcheck", "method",
]);

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  const text = value === true ? "" : String(value);
  if (name === "href") {
    if (!text.startsWith("#")) throw new Error("links stay on this page");
    node.setAttribute("href", text);
  } else if (name === "src") {
    if (!text.startsWith("/api/")) throw new Error("pictures come from this server");
    node.setAttribute("src", text);
  } else if (SAFE.has(name) || name.startsWith("aria-") || name.startsWith("data-")) {
    node.setAttribute(name, text);
  } else {
    throw new Error(`attribute ${name} is not used here`);
  }
}

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value);
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An HTML element: el("p", {class: "quiet"}, "text"). Keys that begin with "on" are listeners, functions only. */
export function el(tag, attributes, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

/** Replaces what a node holds. */
export function fill(node, ...children) {
  node.replaceChildren();
  add(node, children);
  return node;
}

/** Sets an attribute only where it changes, so that an untouched part is not redrawn. */
export function change(node, name, value) {
  const text = String(value);
  if (node.getAttribute(name) !== text) setAttribute(node, name, text);
}

/** Sets a text only where it changes. */
export function say(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

let count = 0;

/** A name for an element that a label points to. */
export function unique(prefix) {
  count += 1;
  return `${prefix}-${count}`;
}
