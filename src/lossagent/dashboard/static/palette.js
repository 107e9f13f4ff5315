// One look for each loss, the same in every chart; colours live in charts.css, with a dash each for eyes that need it.

const LOOKS = 8;

/** Class of a loss by its place in the run's list. */
export function look(losses, name) {
  return `s${Math.max(0, losses.indexOf(name)) % LOOKS}`;
}
