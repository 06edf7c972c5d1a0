/** Moving a card: the place it has on the screen is sent by the form that stands in the page; what the server refuses is put back. */

import { refreshColumn } from "./columns.js";
import { onServerEvent, send } from "./events.js";
import { say } from "./toast.js";

export const board = /** @type {HTMLElement | null} */ (document.getElementById("board"));
const base = board?.dataset.base ?? "";
const words = /** @type {HTMLElement | null} */ (document.getElementById("board-words"))?.dataset ?? {};

/** @typedef {{list: HTMLElement, next: Element | null}} Place  where a card stands: its list, and the card after it */
/** @typedef {{column: string, stage?: string, to?: string, first?: boolean}} Wish  where it shall go */

/** Cards whose move waits for an answer or a dialog, and where each came from.
 * @type {Map<string, Place>} */
const pending = new Map();
/** Where each card stood before its last move on this page, for Undo.
 * @type {Map<string, Place>} */
const earlier = new Map();
/** @type {Promise<unknown>} */
let line = Promise.resolve();
/** Cards are fetched one after the other: two requests of one element would wait for each other, and one be dropped.
 * @type {Promise<unknown>} */
let refreshes = Promise.resolve();
let headsAsked = 0;
/** @type {number | undefined} */
let headsTimer;

/** Fills the gaps of a sentence.
 * @param {string} name @param {Record<string, string | number>} gaps */
export function sentence(name, gaps) {
  return (words[name] ?? "").replace(/\{(\w+)\}/g, (_, gap) => String(gaps[gap] ?? ""));
}

/** @param {string} id */
export const cardElement = (id) => document.getElementById(`card-${id}`);

/** @param {Element} card */
export const titleOf = (card) => /** @type {HTMLElement | null} */ (card.querySelector(".card-title"));

/** @param {Element} card */
export const nameOf = (card) => titleOf(card)?.textContent?.trim() ?? "";

/** @param {Element | null | undefined} inside */
export const columnOf = (inside) => /** @type {HTMLElement | null} */ (inside?.closest(".column") ?? null);

/** @param {Element} card @returns {Place} */
export function placeOf(card) {
  return { list: /** @type {HTMLElement} */ (card.parentElement), next: card.nextElementSibling };
}

/** Puts a card where it stood; it keeps the focus if it had it.
 * @param {HTMLElement} card @param {Place} place */
export function putBack(card, place) {
  const focused = card.contains(document.activeElement);
  const from = card.getBoundingClientRect();
  if (!place.list.isConnected) return;
  place.list.insertBefore(card, place.next?.parentElement === place.list ? place.next : null);
  const to = card.getBoundingClientRect();
  card.style.setProperty("--from-x", `${from.left - to.left}px`);
  card.style.setProperty("--from-y", `${from.top - to.top}px`);
  card.classList.add("returned");
  card.addEventListener("animationend", () => card.classList.remove("returned"), { once: true });
  if (focused) titleOf(card)?.focus();
}

/** @param {HTMLElement} card @param {string} side */
function neighbour(card, side) {
  let other = side === "after" ? card.previousElementSibling : card.nextElementSibling;
  while (other && !other.matches(".card:not(.closed)")) other = side === "after" ? other.previousElementSibling : other.nextElementSibling;
  return /** @type {HTMLElement | null} */ (other)?.dataset.card ?? "";
}

/** Sends a card's new place. Moves go one after the other, each with the version that the one before has left.
 * @param {HTMLElement} card @param {Wish} wish @param {Place} from where it stood */
export function move(card, wish, from) {
  const id = card.dataset.card ?? "";
  pending.set(id, from);
  card.classList.add("unsaved");
  const act = async () => {
    const form = /** @type {HTMLFormElement} */ (document.getElementById("move-form"));
    const placed = columnOf(card)?.dataset.column === wish.column && !wish.to;
    const values = {
      ...{ column: wish.column, stage: wish.stage ?? "", to: wish.to ?? "", first: wish.first ? "1" : "" },
      ...{ after: placed ? neighbour(card, "after") : "", before: placed ? neighbour(card, "before") : "" },
      version: card.dataset.version ?? "",
    };
    for (const [name, value] of Object.entries(values)) /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value = value;
    const answer = await send("POST", `${base}cards/${id}/move/${location.search}`, { source: form });
    settle(cardElement(id) ?? card, answer.status, from);
  };
  line = line.then(act, act);
  return line;
}

/** @param {HTMLElement} card @param {number} status @param {Place} from */
function settle(card, status, from) {
  const id = card.dataset.card ?? "";
  if (status === 422) return; // a dialog asks for more; leaving it puts the card back
  card.classList.remove("unsaved");
  pending.delete(id);
  if (status === 200) {
    arrived(card, from);
    return;
  }
  const name = nameOf(card);
  if (status === 409 && follow(card)) return;
  putBack(card, from);
  const column = columnOf(card)?.dataset.name ?? "";
  if (status === 0) say(sentence("unsaved", { card: name, column }));
}

/** @param {HTMLElement} card @param {Place} from */
function arrived(card, from) {
  earlier.set(card.dataset.card ?? "", from);
  card.classList.add("arrived");
  card.addEventListener("animationend", () => card.classList.remove("arrived"), { once: true });
  if (board?.hasAttribute("data-sorted")) refreshColumn(columnOf(card)?.dataset.column ?? "");
  wantHeads();
}

/** Someone else has put the card elsewhere: show it there.
 * @param {HTMLElement} card */
function follow(card) {
  const list = document.getElementById(`cards-${card.dataset.column || "tray"}`);
  const before = pending.get(card.dataset.card ?? "");
  if (!list || before?.list === list || card.parentElement === list) return false;
  list.prepend(card);
  refreshColumn(card.dataset.column ?? "");
  return true;
}

/** Takes back a move that was only asked about: its dialog was left. */
export function dropQuestions() {
  for (const [id, from] of pending) {
    const card = cardElement(id);
    if (!card?.classList.contains("unsaved")) continue;
    card.classList.remove("unsaved");
    putBack(card, from);
    say(sentence("back", { card: nameOf(card), column: columnOf(card)?.dataset.name ?? "" }));
    pending.delete(id);
  }
}

/** Fetches the sums of the heads, at most once a second. */
export function wantHeads() {
  clearTimeout(headsTimer);
  headsTimer = setTimeout(() => {
    headsAsked = performance.now();
    document.getElementById("totals")?.dispatchEvent(new Event("heads-wanted"));
  }, Math.max(150, 1000 - (performance.now() - headsAsked)));
}

/** Fetches a card that was changed by something else than a move on this board, and shows it where it belongs now.
 * @param {string} id */
async function refreshCard(id) {
  if (!board) return;
  const answer = await send("GET", `${base}cards/${id}/${location.search}`, { source: board, quiet: true });
  const card = cardElement(id);
  wantHeads();
  if (answer.status === 404) {
    if (card) say(sentence("nothere", { card: nameOf(card) }));
    card?.remove();
    return;
  }
  if (answer.status !== 200) return;
  const column = new DOMParser().parseFromString(answer.text, "text/html").querySelector("[data-card]")?.getAttribute("data-column") ?? "";
  if (card && columnOf(card)?.dataset.column === column) {
    if (earlier.get(id)?.list === card.parentElement) refreshColumn(column);
    return;
  }
  const focused = card?.contains(document.activeElement);
  card?.remove();
  await refreshColumn(column);
  if (focused) titleOf(cardElement(id) ?? document.body)?.focus();
}

export function watchMoves() {
  onServerEvent("card-moved", ({ card: id, column, to }) => {
    const card = cardElement(String(id));
    if (!card) return;
    card.classList.remove("unsaved");
    const from = pending.get(String(id)) ?? placeOf(card);
    pending.delete(String(id));
    const list = document.getElementById(`cards-${column}`);
    if (!list) {
      card.remove();
    } else if (card.parentElement !== list || to) {
      const focused = card.contains(document.activeElement);
      const more = list.querySelector(":scope > .more");
      if (to === "top") list.prepend(card);
      else list.insertBefore(card, more);
      if (focused) titleOf(card)?.focus();
      card.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (card.isConnected) arrived(card, from);
    else wantHeads();
  });
  onServerEvent("card-changed", ({ card }) => {
    if (card) refreshes = refreshes.then(() => refreshCard(String(card)));
  });
  onServerEvent("card-added", ({ column }) => {
    document.querySelector(`#cards-${column} > .card:last-of-type`)?.scrollIntoView({ block: "nearest" });
    wantHeads();
  });
  onServerEvent("heads-changed", wantHeads);
}
