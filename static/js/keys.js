/** Single-letter keys. They can be switched off in this browser (WCAG 2.1.4); keys in fields and dialogs are left alone. */

const STORE = "stageboard-keys";
const help = /** @type {HTMLDialogElement} */ (document.getElementById("keys-help"));
const box = /** @type {HTMLInputElement | null} */ (document.getElementById("keys-on"));

function on() {
  try {
    return localStorage.getItem(STORE) !== "off";
  } catch {
    return true;
  }
}

/** @type {Map<string, () => boolean | void>} */
const acts = new Map();

/** Names what a key does; return false if it does nothing here.
 * @param {string} key @param {() => boolean | void} act */
export function onKey(key, act) {
  acts.set(key, act);
}

/** @param {KeyboardEvent} event */
export function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  return target.isContentEditable || target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select");
}

function showHelp() {
  if (!help.open) help.showModal();
}

export function watchKeys() {
  document.documentElement.classList.toggle("keys-off", !on());
  if (box) {
    box.checked = on();
    box.addEventListener("change", () => {
      localStorage.setItem(STORE, box.checked ? "on" : "off");
      document.documentElement.classList.toggle("keys-off", !box.checked);
    });
  }
  onKey("?", showHelp);
  onKey("/", () => {
    const form = document.getElementById("search");
    form?.classList.add("shown");
    form?.querySelector("input")?.focus();
  });
  onKey("n", () => document.querySelector('[data-key="n"]')?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })));
  document.addEventListener("keydown", (event) => {
    if (!on() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (document.querySelector("dialog:modal, :popover-open:not(#toasts)")) return;
    const act = acts.get(event.key);
    if (act && act() !== false) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-keys-help]")) {
      /** @type {HTMLElement | null} */ (target.closest("[popover]"))?.hidePopover();
      showHelp();
    }
    const shows = target.closest("[data-shows]");
    if (shows instanceof HTMLElement) {
      const part = document.getElementById(shows.dataset.shows ?? "");
      const open = part?.classList.toggle("shown");
      shows.setAttribute("aria-expanded", String(Boolean(open)));
      if (open) part?.querySelector("input")?.focus();
    }
  });
}
