// The words of the records, said in full.

const ADJUSTMENTS = {
  bounds: "moved into the bounds",
  rollback: "rolled back: starts from an earlier state",
  fallback: "no usable answer, so the agent did what it does without one",
  sampled: "the language model tells no log-probabilities: one choice was asked for",
  patience: "the best state was gone back to often enough: the best one below it goes on",
  perturbed: "moved a little, since these weights were tried before",
  repeated: "repeated on other data",
  unanswered: "people did not answer in time, so the weights stay",
  human: "set by hand",
  undo: "undone by hand",
  frozen: "a frozen weight was kept",
};

const STATUS = {
  running: "running",
  waiting: "waiting for people",
  paused: "paused",
  finished: "finished",
  between: "between calls",
  stopped: "stopped",
};

const ROLES = { target: "target", constraint: "constraint", guard: "guard: watched, not steered by" };

/** What changed a proposal. */
export function adjustment(word) {
  return Object.hasOwn(ADJUSTMENTS, word) ? ADJUSTMENTS[word] : word;
}

/** A run's status. */
export function status(word) {
  return Object.hasOwn(STATUS, word) ? STATUS[word] : word;
}

/** A metric's part in the goal. */
export function role(word) {
  return Object.hasOwn(ROLES, word) ? ROLES[word] : word ?? "";
}
