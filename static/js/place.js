/** An act of a document's page brings the page anew. The focus goes on where the act stood, or else begins at the heading. */

import { onDialogClosed } from "./dialog.js";

/** @typedef {{path: string, link: string, row: number, what: string}} Place */

const KEY = "stageboard-place";
const ROWS = "#document :is(tbody tr, li, .document-acts)";
/** The act whose sheet is open. @type {Element | null} */
let act = null;

const rows = () => [...document.querySelectorAll(ROWS)];
/** What a row is about: the same row says the same before and after. @param {Element | null | undefined} row */
const what = (row) => row?.querySelector("th, strong")?.textContent?.trim() ?? "";

/** @param {Element} link @returns {Place} */
function placeOf(link) {
  const row = link.closest(ROWS);
  return { path: location.pathname, link: link.getAttribute("href") ?? "", row: row ? rows().indexOf(row) : -1, what: what(row) };
}

function taken() {
  try {
    const kept = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return kept ? /** @type {Place} */ (JSON.parse(kept)) : null;
  } catch {
    return null;
  }
}

/** @param {Place} place */
function keep(place) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(place));
  } catch {
    // A browser that keeps nothing begins at the heading.
  }
}

/** The act that stands now where that one stood: the same, or what its row offers next.
 * @param {Place} place */
function successor(place) {
  const same = [...document.querySelectorAll("#document a[data-dialog]")].find((link) => link.getAttribute("href") === place.link);
  const row = rows()[place.row];
  const visible = (/** @type {Element | null | undefined} */ link) => (link?.checkVisibility() ? link : null);
  if (visible(same)) return same;
  if (!row || what(row) !== place.what) return null;
  return visible(row.querySelector("a.filled")) ?? [...row.querySelectorAll("a[data-dialog], [popovertarget]")].find((link) => link.checkVisibility());
}

export function watchPlace() {
  const place = taken();
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("#document a[data-dialog]");
    if (link) act = link;
  });
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (act && form.closest("#dialog") && form.method === "post") keep(placeOf(act));
  });
  onDialogClosed(() => {
    act = null;
    taken();
  });
  // Only an act that was done says something on the page that comes after it.
  if (!document.querySelector("#toasts .toast") || document.activeElement !== document.body) return;
  const next = place?.path === location.pathname ? successor(place) : null;
  const heading = document.querySelector("#document h1") ?? (place && document.querySelector("#main h1"));
  const target = /** @type {HTMLElement | null} */ (next ?? heading);
  if (target && target === heading) target.tabIndex = -1;
  target?.focus();
}
