/** What others change appears on the open board. The line names cards only; the server is asked what they look like now.
 * Nothing is touched while a card is held or a move waits for its answer. */

import { rove } from "./carry.js";
import { ask } from "./events.js";
import { ended, openLine } from "./line.js";
import { refreshColumn } from "./columns.js";
import { board, cardElement, columnOf, nameOf, sentence, titleOf, wantHeads } from "./moves.js";
import { changedElsewhere, panelCard } from "./panel.js";
import { say } from "./toast.js";

const base = board?.dataset.base ?? "";
const sign = document.getElementById("live-sign");
const MOST = 40; // of more cards than this, all columns are fetched again
const REST = 700; // between two questions

/** Cards to ask for: the version that was told of, and whether it is said who did it (not of what was missed meanwhile).
 * @type {Map<string, {version: number, named: boolean}>} */
const waiting = new Map();
let everything = false;
/** @type {number | undefined} */
let flushing;
let asking = false;
let asked = 0;

/** @param {"lost" | "found" | "ended"} state */
function showSign(state) {
  if (!sign) return;
  sign.textContent = sentence(state, {});
  sign.classList.toggle("found", state === "found");
  sign.hidden = false;
  say(sign.textContent);
  if (state === "found") setTimeout(() => sign.classList.contains("found") && (sign.hidden = true), 3000);
}

/** @param {import("./line.js").News} news @param {boolean} missed whether it happened while the page did not listen */
function hear({ cards = {}, everything: all = false }, missed) {
  for (const [id, version] of Object.entries(cards)) if (isNews(id, version)) waiting.set(id, { version, named: !missed });
  everything ||= all || waiting.size > MOST;
  // Many boards hear the same at once; they need not ask in the same moment.
  const rest = Math.max(0, REST - (performance.now() - asked));
  if (waiting.size || everything) flushing ??= setTimeout(flush, rest + 30 + 150 * Math.random());
}

/** Whether the page shows something older: what it did itself, it shows already.
 * @param {string} id @param {number} version */
const isNews = (id, version) => Number(cardElement(id)?.dataset.version ?? -1) < version;

/** Whether somebody holds a card, or a move of this page waits for its answer. */
const busy = () => document.body.classList.contains("dragging") || board?.querySelector(".card:is(.chosen, .unsaved)");

async function flush() {
  flushing = undefined;
  if (busy() || asking) {
    flushing = setTimeout(flush, 200);
    return;
  }
  const wanted = new Map([...waiting].filter(([id, { version }]) => isNews(id, version)));
  const all = everything;
  waiting.clear();
  everything = false;
  if (!all && !wanted.size) return;
  asking = true;
  asked = performance.now();
  const done = all ? await askForAll() : await askFor(wanted);
  asking = false;
  if (done) return;
  for (const [id, what] of wanted) if (!waiting.has(id)) waiting.set(id, what);
  everything ||= all;
  flushing ??= setTimeout(flush, 500);
}

/** The board was away for long: its columns come again, as long as they were. */
async function askForAll() {
  let done = true;
  for (const list of board?.querySelectorAll("ol.cards") ?? []) {
    if (busy()) return false;
    const answer = await refreshColumn(/** @type {HTMLElement} */ (list).dataset.column ?? "");
    done &&= answer?.status === 200;
  }
  rove();
  wantHeads();
  return done;
}

/** Asks for some cards and shows them as they are now. Tells whether it could.
 * @param {Map<string, {version: number, named: boolean}>} wanted */
async function askFor(wanted) {
  const query = new URLSearchParams(location.search);
  query.set("ids", [...wanted.keys()].join(","));
  const answer = await ask(`${base}changes/?${query}`);
  if (answer.status === 401) ended();
  if (answer.status !== 200) return answer.status !== 0 && answer.status < 500;
  if (busy()) return false;
  const page = new DOMParser().parseFromString(answer.text, "text/html");
  /** @type {Map<string, DOMStringMap>} */
  const told = new Map();
  for (const change of page.querySelectorAll("[data-change]")) {
    const { dataset } = /** @type {HTMLElement} */ (change);
    told.set(dataset.change ?? "", dataset);
  }
  const columns = new Set();
  // In the order of the answer: a card may stand behind one that moved, too.
  for (const id of new Set([...told.keys(), ...wanted.keys()])) {
    const column = place(id, page.getElementById(`card-${id}`), told.get(id)?.after ?? "");
    if (column !== null) columns.add(column);
  }
  for (const column of columns) await refreshColumn(column);
  const spoken = [];
  for (const [id, { said, sentence: words }] of told) {
    if (!said) continue;
    if (wanted.get(id)?.named && label(id, said)) spoken.push(words);
    if (panelCard() === id) changedElsewhere(said, sentence("reload", {}));
  }
  rove();
  wantHeads();
  if (spoken.length) say(spoken.length > 3 ? sentence("many", { n: spoken.length }) : spoken.join(" "));
  return true;
}

/** Puts a card where the server says; answers the column that must be fetched to know better, or null.
 * @param {string} id @param {Element | null} fresh @param {string} after */
function place(id, fresh, after) {
  const card = cardElement(id);
  const column = fresh?.getAttribute("data-column") ?? "";
  const list = fresh && document.getElementById(`cards-${column || "tray"}`);
  if (!fresh || !list) {
    leave(card);
    return null;
  }
  // In an order that the server makes, and on a page that lags behind, the column is fetched again.
  if (board?.hasAttribute("data-sorted")) {
    if (card && card.parentElement !== list) leave(card);
    return column;
  }
  const previous = after ? cardElement(after) : null;
  if (after && previous?.parentElement !== list) {
    // Perhaps it stands behind the last card that was loaded.
    leave(card);
    return list.querySelector(":scope > .more") ? null : column;
  }
  if (!card) {
    const added = document.importNode(fresh, true);
    previous ? previous.after(added) : list.prepend(added);
    return null;
  }
  become(card, fresh);
  if (card.parentElement === list && card.previousElementSibling === previous) return null;
  const focused = card.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
  previous ? previous.after(card) : list.prepend(card);
  focused?.focus({ preventScroll: true });
  return null;
}

/** Makes a card look like the fresh one; its node and its title link stay, and so does the focus.
 * @param {HTMLElement} card @param {Element} fresh */
function become(card, fresh) {
  const onMove = document.activeElement?.matches(".card-move") && card.contains(document.activeElement);
  for (const { name, value } of fresh.attributes) card.setAttribute(name, value);
  const parts = card.querySelectorAll(":scope > :not(.card-said)");
  [...fresh.children].forEach((part, place) => {
    if (parts[place].innerHTML !== part.innerHTML) parts[place].innerHTML = part.innerHTML;
  });
  if (onMove) /** @type {HTMLElement | null} */ (card.querySelector(".card-move") ?? titleOf(card))?.focus({ preventScroll: true });
}

/** Takes a card off; the focus goes to its neighbour.
 * @param {HTMLElement | null} card */
function leave(card) {
  if (!card) return;
  const focused = card.contains(document.activeElement);
  const next = card.nextElementSibling?.matches(".card") ? card.nextElementSibling : card.previousElementSibling;
  if (focused) say(sentence("nothere", { card: nameOf(card) }));
  const column = columnOf(card);
  card.remove();
  const target = next?.matches(".card") ? titleOf(next) : column?.querySelector("button");
  if (focused) /** @type {HTMLElement | null | undefined} */ (target)?.focus({ preventScroll: true });
}

/** Names for a moment who changed a card; tells whether the card is here.
 * @param {string} id @param {string} said */
function label(id, said) {
  const card = cardElement(id);
  if (!card) return false;
  card.querySelector(".card-said")?.remove();
  const line = document.createElement("span");
  line.className = "card-said";
  line.textContent = said;
  card.append(line);
  card.classList.add("arrived");
  card.addEventListener("animationend", () => card.classList.remove("arrived"), { once: true });
  setTimeout(() => line.remove(), 5000);
  return true;
}

export function watchLive() {
  const position = board?.dataset.position;
  if (!position) return;
  const address = () => `${base}events/?tray=${document.getElementById("tray") ? 1 : ""}`;
  openLine({ address, position, hear, tell: showSign });
}
