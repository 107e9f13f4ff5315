// What a weight may be: the box of its loss and the trust region around its current value.

import { number } from "./format.js";

const LEAST = 1e-6;
const WIDE = 1e4;

/** The weights that the next stage would keep. */
export function currentWeights(run) {
  const head = run.states.find((state) => state.id === run.head);
  return head?.weights ?? run.initial;
}

/** {low, high, frozen, switchable, words, range, start} of one loss. */
export function allowed(bounds, name, current) {
  const limits = bounds ?? {};
  const box = limits.per_loss?.[name] ?? [limits.low ?? null, limits.high ?? null];
  let low = box[0] ?? LEAST;
  let high = box[1] ?? Infinity;
  const frozen = (limits.frozen ?? []).includes(name);
  const parts = [];
  if (box[0] !== null || box[1] !== null) parts.push(`bounds ${number(low)} to ${number(high)}`);
  if (limits.trust && current > 0) {
    // A start outside the box walks back into it as fast as the trust region allows.
    const [near, far] = [current / limits.trust, current * limits.trust];
    [low, high] = near > high ? [near, near] : far < low ? [far, far] : [Math.max(low, near), Math.min(high, far)];
    parts.push(`at most \u00d7${number(limits.trust)} a stage: ${number(low, 3)} to ${number(high, 3)} now`);
  }
  const start = current > 0 ? current : Math.min(Number.isFinite(high) ? high : 1, Math.max(low, 0.01));
  if (!Number.isFinite(high)) high = Math.max(start * WIDE, 10);
  if (low === LEAST && !limits.trust) low = Math.min(start / WIDE, LEAST * 100);
  const now = current > 0 ? `now ${number(current)}` : "now off";
  return {
    low, high, frozen, start,
    switchable: limits.switch !== false,
    range: `${number(low, 3)} to ${number(high, 3)}`,
    words: [now, ...(frozen ? ["frozen: it may not change"] : parts), limits.switch === false ? "may not be switched" : ""].filter(Boolean).join(" \u00b7 "),
  };
}

/** Shares of the gradient under other weights, from those at a state under its own; undefined where unknown. */
export function sharesAt(state, current, wanted) {
  const shares = state?.shares ?? {};
  const parts = {};
  for (const [name, weight] of Object.entries(wanted)) {
    if (weight > 0 && !(shares[name] > 0 && current[name] > 0)) return undefined;
    parts[name] = weight > 0 ? (shares[name] * weight) / current[name] : 0;
  }
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return total > 0 ? Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part / total])) : undefined;
}
