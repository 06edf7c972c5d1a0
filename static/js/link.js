/** The page of a private link tells once that somebody looks at it: after it was visible for a moment, which no scanner waits for. */

const shown = /** @type {HTMLElement | null} */ (document.querySelector("[data-viewed]"));
let told = false;

function tell() {
  if (told || !shown || document.visibilityState !== "visible") return;
  told = true;
  fetch(shown.dataset.viewed ?? "", { method: "POST", headers: { "X-CSRFToken": shown.dataset.token ?? "" }, keepalive: true }).catch(() => {});
}

function wait() {
  if (document.visibilityState === "visible") setTimeout(tell, 1000);
}

wait();
document.addEventListener("visibilitychange", wait);

// A second press of the same button sends nothing: the first one is on its way.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => delete form.dataset.sent));
