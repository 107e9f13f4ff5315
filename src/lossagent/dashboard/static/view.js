// Which part of a picture is seen: one view shared by all panes, so that they zoom and pan together.

const MOST = 64;

/** {scale, x, y}: scale 1 shows the whole picture; (x, y) in 0..1 is the point of it in the middle of a pane. */
export function makeView() {
  const listeners = new Set();
  const view = {
    scale: 1,
    x: 0.5,
    y: 0.5,
    set(scale, x, y) {
      view.scale = Math.min(MOST, Math.max(1, scale));
      view.x = Math.min(1, Math.max(0, x));
      view.y = Math.min(1, Math.max(0, y));
      for (const listener of listeners) listener(view);
    },
    reset() {
      view.set(1, 0.5, 0.5);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return view;
}

/** Size in pixels of a picture of a shape (width / height) that is fitted into a pane. */
export function fitted(paneWidth, paneHeight, shape) {
  const width = Math.min(paneWidth, paneHeight * shape);
  return { width, height: width / shape };
}

/** The scale at which a picture covers a pane, so that a tall narrow pane is not mostly empty. */
export function covering(paneWidth, paneHeight, shape) {
  const fit = fitted(paneWidth, paneHeight, shape);
  return Math.max(paneWidth / fit.width, paneHeight / fit.height);
}

/** The middle, held so that no more empty margin is seen than there must be. */
export function held(view, paneWidth, paneHeight, fit) {
  const hold = (centre, pane, size) => {
    const half = pane / (2 * size * view.scale);
    return half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, centre));
  };
  return { x: hold(view.x, paneWidth, fit.width), y: hold(view.y, paneHeight, fit.height) };
}
