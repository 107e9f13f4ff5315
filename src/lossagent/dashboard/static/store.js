// One run, kept up to date: the whole of it once, then every two seconds what changed.

import { get, path, Trouble } from "./api.js";

const EVERY = 2000;
const SLOWEST = 15000;

/** Follows a run. `listener(run, changed)` is called with the set of ids of states that are new or changed. */
export function follow(id, listener, onError) {
  const run = { value: null, stopped: false };
  let timer = 0;
  let wait = EVERY;
  let asking = null;

  function later() {
    clearTimeout(timer);
    if (!run.stopped) timer = setTimeout(ask, wait);
  }

  async function ask() {
    if (document.hidden && run.value) return later();
    asking = new AbortController();
    try {
      if (run.value === null) {
        accept(await get(path("run", id), asking.signal), true);
      } else {
        const news = await get(path("run", id, "changes", { revision: run.value.revision }), asking.signal);
        if (news.changed || news.reset) accept(news, Boolean(news.reset));
      }
      wait = EVERY;
      onError(null);
    } catch (error) {
      if (run.stopped || error.name === "AbortError") return undefined;
      wait = Math.min(SLOWEST, wait * 1.5);
      onError(error);
      if (!(error instanceof Trouble)) throw error;
    } finally {
      later();
    }
    return undefined;
  }

  function accept(news, whole) {
    if (run.stopped) return;
    const states = new Map(whole ? [] : run.value.states.map((state) => [state.id, state]));
    const changed = new Set();
    for (const state of news.states ?? []) {
      states.set(state.id, state);
      changed.add(state.id);
    }
    const ordered = [...states.values()].sort((a, b) => a.id - b.id);
    run.value = { ...run.value, ...news, states: ordered };
    listener(run.value, changed);
  }

  function awake() {
    if (document.hidden) return;
    wait = EVERY;
    clearTimeout(timer);
    ask();
  }

  document.addEventListener("visibilitychange", awake);
  ask();
  return {
    id,
    get value() {
      return run.value;
    },
    now: awake,
    stop() {
      run.stopped = true;
      clearTimeout(timer);
      asking?.abort();
      document.removeEventListener("visibilitychange", awake);
    },
  };
}
