// Who sits here: a name, remembered in this browser.

const KEY = "lossagent.name";

/** The remembered name, "" if none. */
export function recall() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Remembers a name; private windows may refuse, which is no error. */
export function remember(name) {
  try {
    localStorage.setItem(KEY, name.trim());
  } catch {
    // It is asked for again next time.
  }
}
