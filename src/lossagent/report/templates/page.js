"use strict";
// Sliders: the range input is the truth; dragging on the image moves it.
for (const slider of document.querySelectorAll(".slider")) {
  const stage = slider.querySelector(".stage"), range = slider.querySelector("input"), layers = stage.querySelectorAll("img");
  const show = () => slider.style.setProperty("--cut", range.value + "%");
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    range.value = Math.round(100 * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    show();
  };
  range.addEventListener("input", show);
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); follow(event); });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  for (const select of slider.querySelectorAll("select")) {
    select.addEventListener("change", () => {
      layers.forEach((layer, i) => layer.classList.toggle(select.dataset.side, i === Number(select.value)));
    });
  }
  show();
}
