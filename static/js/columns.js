/** The cards of a column: fetched again, or its next page. One request of a column at a time, so that an answer never meets
 * a column that another answer has just changed. */

import { onSwapped, send } from "./events.js";

const base = document.getElementById("board")?.dataset.base ?? "";
/** @typedef {import("./events.js").Answer} Answer */
/** The last request of each list.
 * @type {WeakMap<Element, Promise<Answer | undefined>>} */
const lines = new WeakMap();

/** Does something after whatever is under way for that list.
 * @param {Element} list @param {() => Promise<Answer | undefined>} act */
function inTurn(list, act) {
  const turn = (lines.get(list) ?? Promise.resolve(undefined)).then(act);
  lines.set(list, turn.catch(() => undefined));
  return turn;
}

/** Fetches a column again, as many cards of it as are shown; nodes, focus and scroll stay.
 * @param {string} column  empty: the tray */
export async function refreshColumn(column) {
  const list = document.getElementById(`cards-${column || "tray"}`);
  if (!list) return;
  return inTurn(list, async () => {
    const query = new URLSearchParams(location.search);
    query.set("first", String(list.querySelectorAll(":scope > .card").length));
    return send("GET", `${column ? `${base}columns/${column}/cards/` : `${base}tray/`}?${query}`, { source: list, target: list, swap: "innerMorph" });
  });
}

/** Fetches the next page of a column. Its link is read when its turn has come: the column may have changed until then.
 * @param {Element} list */
function loadMore(list) {
  return inTurn(list, async () => {
    const more = list.querySelector(":scope > .more");
    const link = more?.querySelector("a");
    if (!more || !link) return;
    const focused = more.contains(document.activeElement);
    const last = more.previousElementSibling;
    const answer = await send("GET", link.pathname + link.search, { source: list, target: more, swap: "outerHTML" });
    const next = last?.nextElementSibling ?? null;
    if (focused) /** @type {HTMLElement | null | undefined} */ (next?.querySelector(".card-title, a"))?.focus({ preventScroll: true });
    return answer;
  });
}

/** Loads the next page of a column when its end comes into sight, or when it is asked for.
 * @param {HTMLElement} board */
export function watchColumns(board) {
  const ends = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && target.parentElement) loadMore(target.parentElement);
    }
  });
  const watchEnds = () => board.querySelectorAll(".cards > .more").forEach((end) => ends.observe(end));
  watchEnds();
  onSwapped(watchEnds);
  board.addEventListener("click", (event) => {
    const more = /** @type {Element} */ (event.target).closest(".cards > .more");
    if (!more?.parentElement || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    loadMore(more.parentElement);
  });
}
