// Layers of a chart: each becomes one path, however many points it has.

import { thin } from "./scales.js";

const round = (value) => Math.round(value * 10) / 10;
const at = ([x, y]) => `${round(x)},${round(y)}`;

function runsOf(points, Y) {
  const runs = [[]];
  for (const point of points) {
    if (Y.usable(point[1])) runs.at(-1).push(point);
    else if (runs.at(-1).length) runs.push([]);
  }
  return runs.filter((run) => run.length);
}

/** A line through [x, y] points; a missing y breaks it. */
export function line(key, series, points, look = "") {
  return {
    key, series, look: `line ${look}`, points: points.filter((p) => Number.isFinite(p[1])).length, values: points,
    path: (X, Y) => runsOf(points, Y).map((run) => `M${thin(run.map(([x, y]) => [X(x), Y(y)])).map(at).join("L")}`).join(""),
  };
}

/** Separate strokes [x0, y0, x1, y1]. */
export function strokes(key, series, segments, look = "") {
  return {
    key, series, look: `line ${look}`, points: segments.length,
    values: segments.flatMap(([a, b, c, d]) => [[a, b], [c, d]]),
    path: (X, Y) => segments
      .filter(([, b, , d]) => Y.usable(b) && Y.usable(d))
      .map(([a, b, c, d]) => `M${at([X(a), Y(b)])}L${at([X(c), Y(d)])}`)
      .join(""),
  };
}

/** The area between [x, low, high]. */
export function band(key, series, points, look = "band") {
  return {
    key, series, look, points: points.length,
    values: points.flatMap(([x, low, high]) => [[x, low], [x, high]]),
    path: (X, Y) => {
      const usable = points.filter(([, low, high]) => Y.usable(low) && Y.usable(high));
      if (usable.length < 2) return "";
      const top = thin(usable.map(([x, , high]) => [X(x), Y(high)]));
      const bottom = thin(usable.map(([x, low]) => [X(x), Y(low)])).reverse();
      return `M${[...top, ...bottom].map(at).join("L")}Z`;
    },
  };
}

const OUTLINES = {
  dot: (x, y, r) => `M${at([x - r, y])}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`,
  diamond: (x, y, r) => `M${at([x, y - r])}l${r},${r}l${-r},${r}l${-r},${-r}Z`,
  triangle: (x, y, r) => `M${at([x, y - r])}l${r},${1.8 * r}h${-2 * r}Z`,
  star: (x, y, r) => {
    const points = Array.from({ length: 10 }, (_, i) => {
      const size = i % 2 ? r * 0.45 : r;
      const angle = (Math.PI * i) / 5 - Math.PI / 2;
      return [x + size * Math.cos(angle), y + size * Math.sin(angle)];
    });
    return `M${points.map(at).join("L")}Z`;
  },
  cross: (x, y, r) => `M${at([x - r, y - r])}l${2 * r},${2 * r}m0,${-2 * r}l${-2 * r},${2 * r}`,
};

/** Marks at [x, y]; `most` is how many may be seen at once before they are left out as clutter. */
export function marks(key, series, points, { shape = "dot", size = 3, look = "", most = Infinity } = {}) {
  return {
    key, series, look: `mark ${look}`, points: points.length, values: points,
    path: (X, Y) => {
      const seen = points.filter(([x, y]) => Y.usable(y) && x >= X.low && x <= X.high);
      return seen.length > most ? "" : seen.map(([x, y]) => OUTLINES[shape](X(x), Y(y), size)).join("");
    },
  };
}

/** A horizontal line across the chart. */
export function rule(key, series, y, look = "limit") {
  return {
    key, series, look: `line ${look}`, points: 1, values: [[null, y]],
    path: (X, Y) => (Y.usable(y) ? `M${at([X(X.low), Math.round(Y(y)) + 0.5])}H${round(X(X.high))}` : ""),
  };
}

/** An outline alone, for keys and legends. */
export function outline(shape, x, y, r) {
  return OUTLINES[shape](x, y, r);
}
