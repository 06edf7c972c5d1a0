/** Dragging with mouse and finger. Which columns refuse a card, and why, is asked from the server when it is lifted. */

import Sortable from "../vendor/sortable/sortable.esm.js";
import { send } from "./events.js";
import { board, columnOf, move, nameOf, putBack, sentence, titleOf } from "./moves.js";
import { say, toast } from "./toast.js";

const zones = document.getElementById("zones");
const base = board?.dataset.base ?? "";
/** @type {{card: HTMLElement, from: import("./moves.js").Place, shift: boolean} | null} */
let held = null;
let point = { x: 0, y: 0 };

export const isDragging = () => held !== null;

/** Asks which columns and zones refuse the card, and marks them.
 * @param {HTMLElement} card */
export async function showTargets(card) {
  const id = card.dataset.card ?? "";
  const response = await fetch(`${base}cards/${id}/targets/`, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const targets = await response.json();
  if (!document.body.classList.contains("dragging") && !card.classList.contains("lifted")) return;
  for (const [column, reason] of Object.entries(targets.columns)) {
    const element = document.getElementById(`column-${column}`);
    const line = element?.querySelector(".column-refusal");
    if (!element || !line || element.contains(card)) continue;
    element.classList.add("refuses");
    line.textContent = String(reason);
    /** @type {HTMLElement} */ (line).hidden = false;
  }
  for (const [zone, reason] of Object.entries(targets.zones)) {
    const element = zones?.querySelector(`[data-zone="${zone}"]`);
    element?.classList.add("refuses");
    const line = element?.querySelector("small");
    if (line) line.textContent = String(reason);
  }
}

export function hideTargets() {
  for (const element of document.querySelectorAll(".refuses")) element.classList.remove("refuses");
  for (const line of document.querySelectorAll(".column-refusal")) {
    /** @type {HTMLElement} */ (line).hidden = true;
    line.textContent = "";
  }
  for (const line of zones?.querySelectorAll("small") ?? []) line.textContent = "";
}

/** Drops a card on a way to end: the server does it, or asks what it needs in a dialog.
 * @param {HTMLElement} card @param {string} zone */
function end(card, zone) {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("outcome-form"));
  /** @type {HTMLInputElement} */ (form.elements.namedItem("zone")).value = zone;
  send("POST", `${base}cards/${card.dataset.card}/outcome/${location.search}`, { source: form });
}

/** @param {Event | TouchEvent | MouseEvent} event */
function pointOf(event) {
  const touch = "changedTouches" in event ? event.changedTouches[0] : null;
  const at = touch ?? /** @type {MouseEvent} */ (event);
  return at && "clientX" in at && (at.clientX || at.clientY) ? { x: at.clientX, y: at.clientY } : point;
}

function over() {
  return document.elementFromPoint(point.x, point.y);
}

/** Lights the zone under the pointer. Over a zone or a column that refuses, the gap goes back to where the card came from. */
function showOver() {
  const element = over();
  const zone = element?.closest(".zone");
  for (const each of zones?.children ?? []) each.classList.toggle("over", each === zone);
  if (!held || !(zone || columnOf(element)?.classList.contains("refuses"))) return;
  const { card, from } = held;
  if (card.parentElement !== from.list || card.nextElementSibling !== from.next) from.list.insertBefore(card, from.next);
}

/** How fast to scroll for a point so near to an end of a stretch.
 * @param {number} at @param {number} start @param {number} end */
function pull(at, start, end) {
  const edge = Math.min(64, (end - start) / 5);
  if (at < start + edge) return -Math.min(1, (start + edge - at) / edge);
  if (at > end - edge) return Math.min(1, (at - end + edge) / edge);
  return 0;
}

/** Scrolls the board and the column under the pointer while a card is held near their edges. */
function scrollAtEdges() {
  if (!held || !board) return;
  const frame = board.getBoundingClientRect();
  board.scrollLeft += 14 * pull(point.x, frame.left, frame.right);
  const body = over()?.closest(".column-body");
  if (body) {
    const box = body.getBoundingClientRect();
    body.scrollTop += 12 * pull(point.y, box.top, box.bottom);
  }
  requestAnimationFrame(scrollAtEdges);
}

/** @param {HTMLElement} card */
function lifted(card) {
  document.body.classList.add("dragging");
  if (zones) zones.hidden = false;
  showTargets(card);
}

function released() {
  document.body.classList.remove("dragging");
  if (zones) zones.hidden = true;
  for (const zone of zones?.children ?? []) zone.classList.remove("over");
  hideTargets();
}

/** @param {any} event what SortableJS tells at the end of a drag */
function dropped(event) {
  const drag = held;
  held = null;
  if (!drag) return;
  const { card, from } = drag;
  const original = event.originalEvent;
  point = pointOf(original);
  const element = over();
  const zone = /** @type {HTMLElement | null} */ (element?.closest(".zone") ?? null);
  const column = columnOf(element);
  const refused = column?.classList.contains("refuses") ? column : null;
  // Native drags end with "drop" where something took them, and with "dragend" alone on Escape or outside.
  const given = original.type === "drop" || original.type.startsWith("touch") || original.type.startsWith("pointer");
  released();
  titleOf(card)?.focus({ preventScroll: true });
  if (zone) {
    putBack(card, from);
    end(card, zone.dataset.zone ?? "");
  } else if (refused) {
    putBack(card, from);
    move(card, { column: refused.dataset.column ?? "" }, from);
  } else if (!given) {
    putBack(card, from);
    say(sentence("back", { card: nameOf(card), column: columnOf(card)?.dataset.name ?? "" }));
  } else if (card.parentElement !== from.list || card.nextElementSibling !== from.next) {
    const target = card.parentElement?.dataset.column ?? "";
    if (!target) putBack(card, from);
    else move(card, { column: target, first: original.shiftKey || drag.shift }, from);
  }
}

/** @param {Element} list */
function sortable(list) {
  if (Sortable.get(/** @type {HTMLElement} */ (list))) return;
  new Sortable(/** @type {HTMLElement} */ (list), {
    group: "cards",
    draggable: ".card:not(.fixed)",
    filter: ".card-move",
    preventOnFilter: false,
    animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150,
    ghostClass: "gap",
    chosenClass: "chosen",
    delay: 200,
    delayOnTouchOnly: true,
    touchStartThreshold: 5,
    emptyInsertThreshold: 24,
    scroll: false,
    setData: (/** @type {DataTransfer} */ data, /** @type {HTMLElement} */ card) => data.setData("text/plain", `${card.dataset.number} ${nameOf(card)}`),
    onStart: (/** @type {any} */ event) => {
      held = { card: event.item, from: { list: event.from, next: event.item.nextElementSibling }, shift: false };
      point = pointOf(event.originalEvent);
      lifted(event.item);
      requestAnimationFrame(scrollAtEdges);
    },
    onMove: (/** @type {any} */ event) => !columnOf(event.to)?.classList.contains("refuses") && event.to.dataset.column !== "" || event.to === held?.from.list,
    onEnd: dropped,
  });
}

/** Makes the lists of cards sortable; called again after columns came anew. */
export function attach() {
  for (const list of document.querySelectorAll("ol.cards")) sortable(list);
}

export function watchDrag() {
  attach();
  document.addEventListener("dragover", (event) => {
    if (!held) return;
    point = pointOf(event);
    held.shift = event.shiftKey;
    showOver();
    // Anywhere on the board or its zones counts as a drop at the gap that is shown.
    if (/** @type {Element} */ (event.target).closest("#board, #zones")) event.preventDefault();
  });
  document.addEventListener("touchmove", (event) => {
    if (!held) return;
    point = pointOf(event);
    showOver();
  }, { passive: true });
  document.addEventListener("dragstart", (event) => {
    const card = /** @type {Element} */ (event.target).closest?.(".card.fixed");
    if (!card) return;
    event.preventDefault();
    toast(sentence("fixed", { card: nameOf(card) }), "bad");
  });
}
