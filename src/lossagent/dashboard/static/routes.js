// Addresses in the fragment: #/ , #/run/ID, #/run/ID/state/K, #/run/ID/compare?left=..., ...

/** {page, run, state, query} of a fragment; page "missing" where it names nothing. */
export function parse(fragment) {
  const [way, search] = fragment.replace(/^#/, "").split("?");
  let pieces;
  try {
    pieces = way.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { page: "missing", query: {} };
  }
  const query = Object.fromEntries(new URLSearchParams(search ?? ""));
  if (!pieces.length) return { page: "runs", query };
  const [kind, run, page = "overview", state] = pieces;
  if (kind !== "run" || !run) return { page: "missing", query };
  if (page === "state" && /^\d+$/.test(state ?? "")) return { page, run, state: Number(state), query };
  const known = ["overview", "compare", "pareto", "rate", "steer"].includes(page) && state === undefined;
  return known ? { page, run, query } : { page: "missing", query };
}

/** The fragment of a page of a run. */
export function link(run, page = "", query = null) {
  const tail = query ? `?${new URLSearchParams(query)}` : "";
  return `#/run/${encodeURIComponent(run)}${page ? `/${page}` : ""}${tail}`;
}

/** Puts a query into the address without a new entry in the history and without loading the page again. */
export function note(run, page, query) {
  history.replaceState(null, "", link(run, page, query));
}

/** The folder of a state's pictures. */
export function folder(state) {
  return `state-${String(state).padStart(4, "0")}`;
}
