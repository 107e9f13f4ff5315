// From values to pixels, and the round numbers between.

/** A linear scale from [low, high] to [from, to] pixels. */
export function linear(low, high, from, to) {
  const span = high - low || 1;
  const scale = (value) => from + ((value - low) / span) * (to - from);
  scale.invert = (pixel) => low + ((pixel - from) / (to - from || 1)) * span;
  scale.ticks = (room) => roundSteps(low, high, room);
  scale.usable = Number.isFinite;
  scale.low = low;
  scale.high = high;
  return scale;
}

/** A logarithmic scale; values that are not positive have no place on it. */
export function logarithmic(low, high, from, to) {
  const inner = linear(Math.log10(low), Math.log10(high), from, to);
  const scale = (value) => inner(Math.log10(value));
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  scale.ticks = (room) => logSteps(low, high, room);
  scale.usable = (value) => Number.isFinite(value) && value > 0;
  scale.low = low;
  scale.high = high;
  return scale;
}

/** Multiples of 1, 2 or 5 times a power of ten in [low, high], at most `room` of them or so. */
export function roundSteps(low, high, room, smallest = 0) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, room);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((step) => step * power >= rough * 0.7) ?? 10;
  const step = Math.max(smallest, factor * power);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function logSteps(low, high, room) {
  const from = Math.floor(Math.log10(low) - 1e-9);
  const to = Math.ceil(Math.log10(high) + 1e-9);
  const decades = to - from;
  if (Math.log10(high / low) < 0.7) return roundSteps(low, high, room).filter((tick) => tick > 0);
  const every = Math.max(1, Math.ceil(decades / Math.max(1, room)));
  const span = Math.log10(high / low);
  const within = span * 3 <= room * 1.8 ? [1, 2, 5] : span * 2 <= room * 1.5 ? [1, 3] : [1];
  const ticks = [];
  for (let power = from; power <= to; power += every) {
    for (const factor of within) ticks.push(Number((factor * 10 ** power).toPrecision(12)));
  }
  return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}

/** [low, high] of values with a little air; never of zero width. */
export function extent(values, log = false, air = 0.06) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value) || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 10] : [0, 1];
  if (log) {
    const grow = Math.max((high / low) ** air, 1.15);
    return [low / grow, high * grow];
  }
  const grow = (high - low) * air || Math.abs(high) * 0.05 || 1;
  return [low - grow, high + grow];
}

/** Keeps of many pixel points the first, lowest, highest and last of each column of pixels: looks the same. */
export function thin(points) {
  if (points.length < 3) return points;
  const kept = [];
  let start = 0;
  while (start < points.length) {
    const column = Math.floor(points[start][0]);
    let end = start;
    let low = start;
    let high = start;
    while (end < points.length && Math.floor(points[end][0]) === column) {
      if (points[end][1] < points[low][1]) low = end;
      if (points[end][1] > points[high][1]) high = end;
      end += 1;
    }
    for (const i of [...new Set([start, low, high, end - 1])].sort((a, b) => a - b)) kept.push(points[i]);
    start = end;
  }
  return kept;
}
