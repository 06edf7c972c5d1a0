/** The side panel of a card. The address carries it (?card=1042), so a link shows the same and Back closes it. */

import { onServerEvent, onSwapped, send } from "./events.js";

const panel = /** @type {HTMLDialogElement} */ (document.getElementById("panel"));
const phone = matchMedia("(max-width: 640px)");
/** @type {HTMLElement | null} */
let opener = null;
let shown = "";

/** @param {string} url */
const numberIn = (url) => /\/opportunities\/(\d+)\//.exec(url)?.[1] ?? "";

/** @param {string} card */
function address(card) {
  const url = new URL(location.href);
  if (card) url.searchParams.set("card", card);
  else url.searchParams.delete("card");
  return url;
}

/** Opens a card's own address in the panel.
 * @param {string} url @param {HTMLElement | null} from @param {boolean} remember whether the address bar changes */
export async function openPanel(url, from, remember = true) {
  opener = from ?? opener;
  const card = numberIn(url);
  if (!panel.open) panel.replaceChildren(skeleton());
  if (!panel.open) phone.matches ? panel.showModal() : panel.show();
  shown = url;
  if (remember && card) history.pushState({ card: url }, "", address(card));
  const answer = await send("GET", url, { source: panel, target: panel, swap: "innerHTML" });
  if (answer.status !== 200) {
    close(true);
    return;
  }
  mark(card);
  const anchor = new URL(url, location.href).hash.slice(1);
  if (anchor) panel.querySelector(`#${CSS.escape(anchor)}`)?.scrollIntoView();
  const heading = panel.querySelector("h1, h2");
  if (heading instanceof HTMLElement && !panel.querySelector("[autofocus]")) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

/** Fetches the open card again; what is being typed in the panel stays. */
export function refreshPanel() {
  return send("GET", shown, { source: panel, target: panel, swap: "innerMorph" });
}

/** The number of the card that the panel shows, or nothing. */
export const panelCard = () => (panel.open ? numberIn(shown) : "");

/** @param {Element} field */
function isChanged(field) {
  if (field instanceof HTMLSelectElement) {
    const options = [...field.options];
    return options.some((option) => option.defaultSelected) && options.some((option) => option.selected !== option.defaultSelected);
  }
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue;
  return field instanceof HTMLInputElement && (field.value !== field.defaultValue || field.checked !== field.defaultChecked);
}

/** Somebody else changed the open card: it comes anew, or, while something is being typed in it, the panel says so.
 * @param {string} said @param {string} offer what the button says */
export function changedElsewhere(said, offer) {
  const body = panel.querySelector(".panel-body");
  if (!body || ![...panel.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isChanged)) {
    refreshPanel();
    return;
  }
  panel.querySelector(".panel-note")?.remove();
  const note = document.createElement("div");
  note.className = "banner info panel-note";
  const line = document.createElement("p");
  line.textContent = said;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small";
  button.textContent = offer;
  button.addEventListener("click", refreshPanel);
  note.append(line, button);
  body.prepend(note);
}

export function panelIsOpen() {
  return panel.open;
}

/** Closes the panel; focus goes back to the card that it was opened from.
 * @param {boolean} remember */
export function close(remember = true) {
  if (!panel.open) return;
  panel.close();
  panel.replaceChildren();
  const card = numberIn(shown);
  shown = "";
  mark("");
  if (remember && new URL(location.href).searchParams.has("card")) history.pushState({}, "", address(""));
  const target = opener?.isConnected ? opener : document.querySelector(`#card-${card} a`);
  if (target instanceof HTMLElement) target.focus();
  opener = null;
}

/** @param {string} card */
function mark(card) {
  document.querySelector(".card[aria-current]")?.removeAttribute("aria-current");
  if (card) document.getElementById(`card-${card}`)?.setAttribute("aria-current", "true");
}

function skeleton() {
  const box = document.createElement("div");
  box.className = "panel-content panel-skeleton";
  box.setAttribute("aria-hidden", "true");
  for (let line = 0; line < 6; line++) {
    const bone = document.createElement("div");
    bone.className = "skeleton";
    box.append(bone);
  }
  return box;
}

function followAddress() {
  const card = new URL(location.href).searchParams.get("card") ?? "";
  if (!/^\d+$/.test(card)) close(false);
  else if (numberIn(shown) !== card) openPanel(`/opportunities/${card}/`, document.querySelector(`#card-${card} a`), false);
}

export function watchPanel() {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("#panel [data-close]")) {
      event.preventDefault();
      close();
      return;
    }
    const link = /** @type {HTMLAnchorElement | null} */ (target.closest("a[data-panel]"));
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    openPanel(link.getAttribute("href") ?? "", link);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !panel.open) return;
    if (document.querySelector("dialog:modal:not(#panel), :popover-open:not(#toasts)")) return;
    close();
  });
  panel.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  addEventListener("popstate", followAddress);
  /** @type {HTMLFormElement | null} */
  let sent = null;
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (form.closest("#opportunity")) sent = form;
  });
  onSwapped((target, status) => {
    // A card that was fetched again forgot that it is the open one.
    if (panel.open) mark(numberIn(shown));
    if (target.id !== "opportunity") return;
    // Morphing keeps what was typed; what is saved is no longer being typed.
    if (status === 200) sent?.reset();
    sent = null;
  });
  onServerEvent("close-panel", () => close());
  // An act elsewhere on the page (a drag, a dialog) changed the card that the panel shows; its own acts bring it along.
  onServerEvent("card-changed", ({ card, panel: shownAlready }) => {
    if (panel.open && !shownAlready && String(card) === numberIn(shown)) refreshPanel();
  });
  onServerEvent("card-moved", ({ card }) => {
    if (panel.open && String(card) === numberIn(shown)) refreshPanel();
  });
  followAddress();
}
