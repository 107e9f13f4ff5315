// What charts of one page share: the part of the x axis that is shown, and the state under the pointer.

/** A link between charts; `subscribe` returns a function that ends it. */
export function makeLink() {
  const listeners = new Set();
  const link = {
    domain: null,
    cursor: null,
    owner: null,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    zoom(domain) {
      link.domain = domain;
      for (const listener of listeners) listener("zoom");
    },
    point(x, owner) {
      if (link.cursor === x && link.owner === owner) return;
      link.cursor = x;
      link.owner = owner;
      for (const listener of listeners) listener("cursor");
    },
  };
  return link;
}

/** A stretch of `whole` that is `factor` as wide, around x. */
export function stretched(domain, whole, x, factor) {
  const [low, high] = domain;
  const width = Math.max(1, (high - low) * factor);
  if (width >= whole[1] - whole[0]) return null;
  const place = (x - low) / (high - low || 1);
  const start = Math.min(Math.max(whole[0], x - place * width), whole[1] - width);
  return [start, start + width];
}
