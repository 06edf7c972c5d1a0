/** The board by keyboard: one card a column is in the tab order, arrows go from card to card, Space lifts, arrows carry, Space drops. */

import { openDialog } from "./dialog.js";
import { hideTargets, showTargets } from "./drag.js";
import { isTyping, onKey } from "./keys.js";
import { board, columnOf, move, nameOf, placeOf, putBack, sentence, titleOf } from "./moves.js";
import { panelIsOpen } from "./panel.js";
import { say } from "./toast.js";

/** @type {{card: HTMLElement, from: import("./moves.js").Place} | null} */
let carried = null;
let placing = false;

const lists = () => /** @type {HTMLElement[]} */ ([...(board?.querySelectorAll("ol.cards") ?? [])]);
/** @param {Element} list */
const cardsIn = (list) => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(":scope > .card")]);

/** @returns {HTMLElement | null} the card that has the focus */
function current() {
  return /** @type {HTMLElement | null} */ (document.activeElement?.closest(".card") ?? null);
}

/** Keeps one card of each column, and what it holds, in the tab order.
 * @param {HTMLElement | null} [chosen] */
export function rove(chosen) {
  for (const list of lists()) {
    const cards = cardsIn(list);
    const own = chosen && cards.includes(chosen) ? chosen : null;
    const keep = own ?? cards.find((card) => titleOf(card)?.getAttribute("tabindex") === "0") ?? cards[0];
    for (const card of cards) {
      const index = card === keep ? "0" : "-1";
      for (const link of card.querySelectorAll("a")) if (link.getAttribute("tabindex") !== index) link.setAttribute("tabindex", index);
    }
  }
}

/** @param {HTMLElement | undefined} card */
function goTo(card) {
  if (!card) return;
  rove(card);
  titleOf(card)?.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** @param {HTMLElement} card @param {string} key */
function walk(card, key) {
  const list = /** @type {HTMLElement} */ (card.parentElement);
  const cards = cardsIn(list);
  const index = cards.indexOf(card);
  if (key === "ArrowDown") goTo(cards[index + 1]);
  if (key === "ArrowUp") goTo(cards[index - 1]);
  if (key === "Home") goTo(cards[0]);
  if (key === "End") goTo(cards.at(-1));
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const all = lists().filter((each) => each === list || cardsIn(each).length);
    const next = all[all.indexOf(list) + (key === "ArrowRight" ? 1 : -1)];
    if (next) goTo(cardsIn(next)[Math.min(index, cardsIn(next).length - 1)]);
  }
}

/** @param {HTMLElement} card */
function described(card) {
  const list = /** @type {HTMLElement} */ (card.parentElement);
  return { card: nameOf(card), column: columnOf(card)?.dataset.name ?? "", place: cardsIn(list).indexOf(card) + 1, count: cardsIn(list).length };
}

/** @param {HTMLElement} card */
function lift(card) {
  if (card.classList.contains("fixed")) {
    say(sentence("fixed", { card: nameOf(card) }));
    return;
  }
  carried = { card, from: placeOf(card) };
  card.classList.add("lifted");
  document.body.classList.add("dragging");
  showTargets(card);
  say(sentence("lifted", described(card)));
}

/** @param {HTMLElement} card @param {() => void} insert */
function place(card, insert) {
  placing = true;
  insert();
  titleOf(card)?.focus({ preventScroll: true });
  placing = false;
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
  say(sentence("carried", described(card)));
}

/** @param {HTMLElement} card @param {string} key */
function carry(card, key) {
  const list = /** @type {HTMLElement} */ (card.parentElement);
  const cards = cardsIn(list);
  const index = cards.indexOf(card);
  const previous = cards[index - 1];
  const following = cards[index + 1];
  if (key === "ArrowUp" && previous) place(card, () => previous.before(card));
  if (key === "ArrowDown" && following) place(card, () => following.after(card));
  if (key === "Home" && index) place(card, () => list.prepend(card));
  if (key === "End" && following) place(card, () => cards.at(-1)?.after(card));
  if (key !== "ArrowLeft" && key !== "ArrowRight") return;
  const all = lists().filter((each) => each.dataset.column || each === list);
  const step = key === "ArrowRight" ? 1 : -1;
  const passed = [];
  let target = all[all.indexOf(list) + step];
  while (target && columnOf(target)?.classList.contains("refuses")) {
    const column = /** @type {HTMLElement} */ (columnOf(target));
    passed.push(sentence("passed", { column: column.dataset.name ?? "", reason: column.querySelector(".column-refusal")?.textContent ?? "" }));
    target = all[all.indexOf(target) + step];
  }
  if (!target) {
    say([...passed, sentence("end", {})].join(" "));
    return;
  }
  const beside = cardsIn(target)[Math.min(index, cardsIn(target).length)];
  place(card, () => (beside ? beside.before(card) : target.insertBefore(card, target.querySelector(":scope > .more"))));
  if (passed.length) say([...passed, sentence("carried", described(card))].join(" "));
}

/** @param {boolean} first whether a column of several stages takes it into its first */
function drop(first) {
  if (!carried) return;
  const { card, from } = carried;
  release(card);
  const column = card.parentElement?.dataset.column ?? "";
  if (card.parentElement === from.list && card.nextElementSibling === from.next) say(sentence("back", described(card)));
  else move(card, { column, first }, from);
}

function cancel() {
  if (!carried) return;
  const { card, from } = carried;
  release(card);
  placing = true;
  putBack(card, from);
  placing = false;
  say(sentence("back", described(card)));
}

/** @param {HTMLElement} card */
function release(card) {
  carried = null;
  card.classList.remove("lifted");
  document.body.classList.remove("dragging");
  hideTargets();
}

const STEPS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"]);

export function watchCarry() {
  rove();
  board?.addEventListener("keydown", (event) => {
    const card = current();
    if (!card || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const onTitle = document.activeElement === titleOf(card);
    if (carried) {
      if (STEPS.has(event.key)) carry(carried.card, event.key);
      else if (event.key === " ") drop(event.shiftKey);
      else if (event.key === "Escape") cancel();
      else if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
    } else if (STEPS.has(event.key)) {
      event.preventDefault();
      walk(card, event.key);
    } else if (event.key === " " && onTitle) {
      event.preventDefault();
      lift(card);
    }
  });
  board?.addEventListener("focusin", (event) => {
    const card = /** @type {Element} */ (event.target).closest(".card");
    if (card && !card.querySelector('.card-title[tabindex="0"]')) rove(/** @type {HTMLElement} */ (card));
  });
  board?.addEventListener("focusout", (event) => {
    if (carried && !placing && !carried.card.contains(/** @type {Node | null} */ (event.relatedTarget))) cancel();
  });
  onKey("m", () => {
    const link = /** @type {HTMLAnchorElement | null | undefined} */ (current()?.querySelector(".card-move"));
    if (!link) return false;
    openDialog(link.getAttribute("href") ?? "", /** @type {HTMLElement} */ (document.activeElement));
    return true;
  });
  onKey("e", () => {
    const card = current();
    const inPanel = panelIsOpen() && document.querySelector("#panel a[href$='/edit/']");
    const url = inPanel ? inPanel.getAttribute("href") : card && `${titleOf(card)?.getAttribute("href")}edit/`;
    if (!url) return false;
    openDialog(url, /** @type {HTMLElement} */ (document.activeElement));
    return true;
  });
}
