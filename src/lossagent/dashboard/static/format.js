// Numbers and times as a reader wants them.

const MINUS = "\u2212";

/** A number with about `digits` significant digits; an en dash where there is none. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : `${MINUS}\u221e`;
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-4 ? value.toExponential(Math.max(0, digits - 2)) : String(Number(value.toPrecision(digits)));
  return text.replace("e+", "e").replaceAll("-", MINUS);
}

/** A change, always with its sign. */
export function signed(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  return value > 0 ? `+${number(value, digits)}` : number(value, digits);
}

/** A part of one as a percentage. */
export function percent(value, digits = 0) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "\u2013";
  return `${(100 * value).toFixed(digits).replace("-", MINUS)}\u202f%`;
}

/** Seconds in words. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "\u2013";
  if (seconds < 10) return `${number(seconds, 2)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${number(seconds / 3600, 2)} h` : `${Math.round(seconds / 86400)} days`;
}

/** How long ago a moment in epoch seconds was. */
export function ago(moment) {
  if (!Number.isFinite(moment)) return "";
  const seconds = Date.now() / 1000 - moment;
  return seconds < 20 ? "just now" : `${duration(seconds)} ago`;
}

/** "1 state", "3 states". */
export function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Weights in one line, in the order of the losses; a loss that is off says so. */
export function weightsLine(weights, losses) {
  if (!weights || !Object.keys(weights).length) return "\u2013";
  return losses.map((name) => `${name} ${weights[name] ? number(weights[name], 3) : "off"}`).join(" \u00b7 ");
}

/** What a direction means, as an arrow and in words. */
export function direction(way) {
  return way === "lower" ? "\u2193 lower is better" : way === "higher" ? "\u2191 higher is better" : "";
}

/** The sign that turns a direction into "larger is better". */
export function sign(way) {
  return way === "lower" ? -1 : 1;
}
