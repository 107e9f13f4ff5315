// A pane with one picture or several on top of each other, drawn where the shared view says.

import { el } from "./dom.js";
import { gestures } from "./gestures.js";
import { fitted, held } from "./view.js";

/**
 * A pane. `show([{src, alt}])` changes its pictures; `sheet` holds them.
 * A picture of few pixels, zoomed, is shown in squares rather than smoothed.
 */
export function makePane(view, label) {
  const sheet = el("div", { class: "sheet" });
  const node = el("div", { class: "pane", tabindex: 0, role: "group", "aria-label": `${label}: plus and minus zoom, arrow keys pan, 0 resets` }, sheet);
  const pane = { node, sheet, shape: 4 / 3, view, show, place, destroy, onShape: null };
  const watcher = new ResizeObserver(place);
  watcher.observe(node);
  const unsubscribe = view.subscribe(place);
  const quiet = gestures(pane);

  function show(pictures) {
    const old = [...sheet.querySelectorAll("img")];
    pictures.forEach((picture, i) => {
      let image = old[i];
      if (!image) {
        image = el("img", { decoding: "async", draggable: "false" });
        image.addEventListener("load", () => loaded(image));
        image.addEventListener("error", () => {
          image.classList.add("missing");
          node.classList.add("missing");
        });
        sheet.append(image);
      }
      image.setAttribute("alt", picture.alt);
      if (image.getAttribute("src") !== picture.src) {
        image.classList.remove("missing");
        node.classList.remove("missing");
        if (!picture.src.startsWith("/api/")) throw new Error("pictures come from this server");
        image.setAttribute("src", picture.src);
      }
    });
    for (const image of old.slice(pictures.length)) image.remove();
    place();
  }

  function loaded(image) {
    pane.shape = image.naturalWidth / image.naturalHeight;
    pane.onShape?.(pane.shape, pane);
    place();
  }

  function place() {
    const [width, height] = [node.clientWidth, node.clientHeight];
    if (!width || !height) return;
    const fit = fitted(width, height, pane.shape);
    const at = held(view, width, height, fit);
    const [w, h] = [fit.width * view.scale, fit.height * view.scale];
    sheet.style.width = `${w}px`;
    sheet.style.height = `${h}px`;
    sheet.style.transform = `translate(${width / 2 - at.x * w}px, ${height / 2 - at.y * h}px)`;
    const image = sheet.querySelector("img");
    sheet.classList.toggle("squares", Boolean(image?.naturalWidth) && w / image.naturalWidth > 2.5);
  }

  function destroy() {
    watcher.disconnect();
    unsubscribe();
    quiet();
  }

  return pane;
}
