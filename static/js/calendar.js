/** The calendar: dragging a card to another day fills in the form that sets its forecast date; the server decides everything else. */

import Sortable from "../vendor/sortable/sortable.esm.js";
import { openDialog } from "./dialog.js";
import { onServerEvent, send } from "./events.js";
import { onKey } from "./keys.js";
import { say, toast } from "./toast.js";

const words = /** @type {HTMLElement | null} */ (document.getElementById("calendar-words"))?.dataset ?? {};
/** @type {Promise<unknown>} */
let line = Promise.resolve();
/** Whether a card is in the hand: what was changed elsewhere waits until it is let go. */
let held = false;
let waiting = false;

/** @param {string} name @param {Record<string, string>} gaps */
const sentence = (name, gaps) => (words[name] ?? "").replace(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? "");

/** @param {Element} entry */
const titleOf = (entry) => /** @type {HTMLElement | null} */ (entry.querySelector(".entry-title"));

/** @param {Element} entry */
const nameOf = (entry) => titleOf(entry)?.textContent?.trim() ?? "";

/** Fetches the page again and takes over the days. The focus stays on the card, or on what had it.
 * @returns {Promise<void>} */
async function refresh() {
  const calendar = document.getElementById("calendar");
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  const text = answer?.ok && !answer.redirected ? await answer.text() : "";
  waiting = held;
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("calendar");
  if (!calendar || !fresh || held) return;
  const active = /** @type {HTMLElement | null} */ (document.activeElement);
  const inside = calendar.contains(active);
  const entry = /** @type {HTMLElement | null} */ (active?.closest(".entry[data-card]") ?? null);
  const [top, left] = [scrollY, scrollX];
  calendar.replaceWith(document.adoptNode(fresh));
  scrollTo(left, top);
  attach();
  if (!inside) return;
  const again = entry ? cardElement(entry.dataset.card ?? "") : active?.id ? document.getElementById(active.id) : null;
  const part = entry && active?.matches(".entry-move") ? ".entry-move" : ".entry-title";
  /** @type {HTMLElement | null | undefined} */ (entry ? again?.querySelector(part) : again)?.focus({ preventScroll: true });
}

/** The card's entry that is on the screen: a phone shows another than a desktop.
 * @param {string} id */
function cardElement(id) {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`.entry[data-card="${id}"]`)]);
  return all.find((entry) => entry.offsetParent) ?? null;
}

/** @param {HTMLElement} entry @param {HTMLElement} list @param {Element | null} next */
function putBack(entry, list, next) {
  if (list.isConnected) list.insertBefore(entry, next?.parentElement === list ? next : null);
  say(sentence("back", { card: nameOf(entry), day: list.dataset.name ?? "" }));
}

/** Sends the new day of a card. Moves go one after the other.
 * @param {HTMLElement} entry @param {string} day @param {HTMLElement} list where it stood @param {Element | null} next */
function move(entry, day, list, next) {
  entry.classList.add("unsaved");
  const act = async () => {
    const form = /** @type {HTMLFormElement} */ (document.getElementById("day-form"));
    /** @type {HTMLInputElement} */ (form.elements.namedItem("to")).value = day;
    /** @type {HTMLInputElement} */ (form.elements.namedItem("version")).value = entry.dataset.version ?? "";
    const answer = await send("POST", entry.dataset.move ?? "", { source: form });
    entry.classList.remove("unsaved");
    if (answer.status === 200) return;
    putBack(entry, list, next);
    // It may have been changed by somebody else: show it as it is.
    if (answer.status) await refresh();
  };
  line = line.then(act, act);
}

/** @param {HTMLElement} list */
function sortable(list) {
  if (Sortable.get(list)) return;
  /** @type {Element | null} */
  let next = null;
  new Sortable(list, {
    group: "days",
    sort: false,
    draggable: ".entry:not(.fixed)",
    filter: ".entry-move",
    preventOnFilter: false,
    animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150,
    ghostClass: "gap",
    chosenClass: "chosen",
    delay: 200,
    delayOnTouchOnly: true,
    touchStartThreshold: 5,
    emptyInsertThreshold: 8,
    scroll: true,
    setData: (/** @type {DataTransfer} */ data, /** @type {HTMLElement} */ entry) => data.setData("text/plain", nameOf(entry)),
    onStart: (/** @type {any} */ event) => {
      held = true;
      next = event.item.nextElementSibling;
      document.body.classList.add("dragging");
      say(sentence("lifted", { card: nameOf(event.item) }));
    },
    onEnd: (/** @type {any} */ event) => {
      held = false;
      document.body.classList.remove("dragging");
      for (const day of document.querySelectorAll(".day.over")) day.classList.remove("over");
      const { item, from } = event;
      const day = under(event.originalEvent)?.querySelector(".entries") ?? null;
      const target = /** @type {HTMLElement | null} */ (day);
      const given = event.originalEvent.type !== "dragend";
      if (!given || !target || target.dataset.day === from.dataset.day) {
        if (item.parentElement !== from) putBack(item, from, next);
        titleOf(item)?.focus({ preventScroll: true });
        if (waiting) refresh();
        return;
      }
      // The whole day takes it, not only the lines of it that are there already.
      if (item.parentElement !== target) target.append(item);
      titleOf(item)?.focus({ preventScroll: true });
      move(item, target.dataset.day ?? "", from, next);
    },
  });
}

let point = { x: 0, y: 0 };

/** The day under the pointer.
 * @param {any} event */
function under(event) {
  const at = event?.changedTouches?.[0] ?? event;
  if (at && (at.clientX || at.clientY)) point = { x: at.clientX, y: at.clientY };
  return document.elementFromPoint(point.x, point.y)?.closest(".day") ?? null;
}

/** Lights the day under the pointer: a drop anywhere on it counts.
 * @param {Event} event */
function showOver(event) {
  if (!held) return;
  const day = under(event);
  for (const other of document.querySelectorAll(".day.over")) if (other !== day) other.classList.remove("over");
  day?.classList.add("over");
  if (day && event.type === "dragover") event.preventDefault();
}

function attach() {
  for (const list of document.querySelectorAll(".month:not(.mini) .entries, .week .entries, .agenda .entries")) sortable(/** @type {HTMLElement} */ (list));
}

document.addEventListener("dragover", showOver);
document.addEventListener("touchmove", showOver, { passive: true });
document.addEventListener("dragstart", (event) => {
  const entry = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.(".entry.fixed") ?? null);
  if (!entry) return;
  event.preventDefault();
  toast(entry.dataset.fixed ?? "", "bad");
});
document.addEventListener("change", (event) => {
  const target = /** @type {HTMLSelectElement} */ (event.target);
  if (target.matches("[data-follows]")) target.form?.requestSubmit();
});
onKey("m", () => {
  const link = document.activeElement?.closest(".entry")?.querySelector(".entry-move");
  if (!link) return false;
  openDialog(link.getAttribute("href") ?? "", /** @type {HTMLElement} */ (document.activeElement));
  return true;
});
onServerEvent("card-changed", refresh);
attach();
