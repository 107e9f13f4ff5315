// Which page is shown: follows the fragment of the address, keeps one run up to date.

import { compare } from "./compare.js";
import { decision } from "./decision.js";
import { el, fill } from "./dom.js";
import { overview } from "./overview.js";
import { pareto } from "./pareto.js";
import { rate } from "./rate.js";
import { parse } from "./routes.js";
import { runs } from "./runs.js";
import { frame, header } from "./shell.js";
import { steering } from "./steer.js";
import { follow } from "./store.js";

const main = document.getElementById("page");
const trouble = el("p", { class: "banner alarm", role: "alert", hidden: true });
const holder = el("div", { class: "holder" });
let mounted = null;
let store = null;
let route = parse(location.hash);

const troubles = new Map();

function tell(source, error) {
  if (error) troubles.set(source, error.message);
  else troubles.delete(source);
  trouble.hidden = !troubles.size;
  trouble.textContent = [...troubles.values()].join(" ");
}

const problem = (error) => tell("page", error);

function followed(id) {
  if (store?.id === id) return;
  store?.stop();
  store = id === null ? null : follow(id, (run) => show(run), gone);
}

function gone(error) {
  tell("run", error?.status === 0 ? null : error);
  if (error?.status !== 404 || store?.value) return;
  mounted?.destroy?.();
  mounted = null;
  fill(holder, el("p", {}, el("a", { href: "#/" }, "To the list of runs")));
}

function show(run) {
  if (route.run !== run.id) return;
  header(run, route.page === "state" ? "" : route.page);
  try {
    mounted?.update?.(run);
  } catch (error) {
    problem(new Error(`This part of the page could not be drawn: ${error.message}`));
    throw error;
  }
}

function mount() {
  route = parse(location.hash);
  mounted?.destroy?.();
  mounted = null;
  troubles.clear();
  problem(null);
  holder.dataset.page = route.page;
  fill(holder, el("p", { class: "quiet" }, "Loading \u2026"));
  // The page where people compare blindly does not load scores and weights at all.
  followed(route.run && route.page !== "rate" ? route.run : null);
  if (route.page === "runs" || route.page === "missing") header(null);
  else header(store?.value ?? { id: route.run }, route.page === "state" ? "" : route.page);
  const pages = {
    runs: () => runs(holder, problem),
    overview: () => overview(holder),
    state: () => decision(holder, route.state, problem),
    compare: () => compare(holder, route.query),
    pareto: () => pareto(holder, route.query, problem),
    rate: () => rate(holder, route.run, problem),
    steer: () => steering(holder, () => store?.now()),
    missing: () => void fill(holder, el("h1", {}, "There is no such page"), el("p", {}, el("a", { href: "#/" }, "To the list of runs"))),
  };
  mounted = pages[route.page]() ?? null;
  if (store?.value) show(store.value);
  window.scrollTo(0, 0);
}

/** After a log-in: back to the page that was left for it. */
function comeBack() {
  try {
    const kept = sessionStorage.getItem("lossagent.after");
    sessionStorage.removeItem("lossagent.after");
    if (kept && !location.hash) location.replace(kept);
  } catch {
    // Nothing was kept.
  }
}

comeBack();
frame();
fill(main, trouble, holder);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", mount);
mount();
