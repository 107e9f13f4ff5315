// Talking to the server: every error in words, a lost connection said and tried again.

let lost = false;
const listeners = new Set();

/** Calls back with true when the connection is lost and with false when it is back. */
export function onConnection(listener) {
  listeners.add(listener);
}

function connection(isLost) {
  if (isLost === lost) return;
  lost = isLost;
  for (const listener of listeners) listener(lost);
}

/** What went wrong, as a sentence; `status` is 0 where the server was not reached. */
export class Trouble extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

async function reach(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection(true);
    throw new Trouble("The dashboard's server does not answer. Is `lossagent dashboard` still running?", 0);
  }
  connection(false);
  let body = null;
  try {
    body = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (answer.status === 401) logIn();
  if (!answer.ok) throw new Trouble(sentence(answer.status, body), answer.status);
  if (body === null) throw new Trouble("The server's answer could not be read as JSON.", answer.status);
  return body;
}

/** Leaves for the log-in page; the fragment, which no server sees, is kept for the way back. */
function logIn() {
  try {
    sessionStorage.setItem("lossagent.after", location.hash);
  } catch {
    // Without storage the way back leads to the list of runs.
  }
  location.assign("/login");
}

function sentence(status, body) {
  if (body && typeof body.error === "string") return body.error;
  if (status === 401) return "The password is asked for again.";
  if (status === 404) return "There is nothing at this address.";
  return `The server answered with status ${status}.`;
}

/** GET of a path made by `path`. */
export function get(path, signal) {
  return reach(path, { signal });
}

/** Whether there is anything to log out of. */
export function session() {
  return get(path("session"));
}

/** Ends the session. */
export async function logOut() {
  await fetch("/logout", { method: "POST", headers: { "X-Lossagent": "1" } });
  location.assign("/login");
}

/** Posts a letter to a run's mailbox. `last` is for a page that is being left. */
export function post(run, letter, last = false) {
  return reach(path("run", run, "letters"), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Lossagent": "1" },
    body: JSON.stringify(letter),
    keepalive: last,
  });
}

/** /api/a/b/c?x=1, every piece encoded. */
export function path(...pieces) {
  const query = typeof pieces.at(-1) === "object" ? pieces.pop() : null;
  const tail = query ? `?${new URLSearchParams(query)}` : "";
  return `/api/${pieces.map((piece) => encodeURIComponent(piece)).join("/")}${tail}`;
}

/** Address of a picture; `side` is state-0003, input or reference. */
export function picture(run, side, image) {
  return path("run", run, "image", ...side.split("/"), `${image}.png`);
}
