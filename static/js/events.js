/** The one file that knows htmx: its event names, and how a request is sent. Everything else uses the functions below. */

/** @typedef {{status: number, text: string, url: string}} Answer  status 0: no answer came */

const htmx = /** @type {any} */ (globalThis).htmx;

/** Sends a request for an element that stands in the page; out-of-band parts of the answer are put in place.
 * @param {"GET" | "POST"} verb @param {string} url
 * @param {{source: Element, target?: Element | string, swap?: string, event?: Event, quiet?: boolean}} options
 *   quiet: the caller says itself what a refusal means
 * @returns {Promise<Answer>} */
export function send(verb, url, { source, target, swap = "none", event, quiet = false }) {
  return new Promise((resolve) => {
    let answer = { status: 0, text: "", url };
    const finished = (/** @type {any} */ happened) => {
      if (happened.detail.ctx.request.asked !== asked) return;
      const { response, text } = happened.detail.ctx;
      if (response) answer = { status: response.status, text: text ?? "", url: response.raw.url };
      done();
    };
    const done = () => {
      document.removeEventListener("htmx:finally:request", finished);
      resolve(answer);
    };
    const asked = Symbol(url);
    document.addEventListener("htmx:finally:request", finished);
    const request = (/** @type {any} */ happened) => {
      if (happened.detail.ctx.request.action !== url && happened.detail.ctx.sourceElement !== source) return;
      happened.detail.ctx.request.asked = asked;
      happened.detail.ctx.request.quiet = quiet;
      document.removeEventListener("htmx:config:request", request);
    };
    document.addEventListener("htmx:config:request", request);
    htmx.ajax(verb, url, { source, target: target ?? source, swap, ...(event ? { event } : {}) }).then(done, done);
  });
}

/** Asks for a fragment without putting it into the page. Status 401: the session has ended.
 * @param {string} url @returns {Promise<Answer>} */
export async function ask(url) {
  const response = await fetch(url, { headers: { "HX-Request": "true", "HX-Current-URL": location.href }, cache: "no-store" }).catch(() => null);
  if (!response) return { status: 0, text: "", url };
  const text = await response.text().catch(() => "");
  return { status: response.headers.has("HX-Redirect") ? 401 : response.status, text, url };
}

/** Calls back after an answer was put into the page.
 * @param {(target: Element, status: number) => void} callback */
export function onSwapped(callback) {
  document.addEventListener("htmx:after:swap", (/** @type {any} */ event) => {
    const { ctx } = event.detail;
    callback(ctx.target, ctx.response?.status ?? 200);
  });
}

/** Calls back before an answer is put into the page.
 * @param {() => void} callback */
export function onSwapping(callback) {
  document.addEventListener("htmx:before:swap", callback);
}

/** Calls back when the server names this event in the HX-Trigger header.
 * @param {string} name @param {(detail: any) => void} callback */
export function onServerEvent(name, callback) {
  document.addEventListener(name, (/** @type {any} */ event) => callback(event.detail ?? {}));
}

/** Calls back when a request got no answer (status 0) or one that is not put into the page.
 * @param {(status: number, words: string) => void} callback */
export function onFailed(callback) {
  document.addEventListener("htmx:error", (/** @type {any} */ event) => {
    if (event.detail.ctx) callback(0, "");
  });
  document.addEventListener("htmx:response:error", (/** @type {any} */ event) => {
    const { status } = event.detail.ctx.response;
    if (event.detail.ctx.request.quiet && status < 500) return;
    if (status === 409 || status === 422 || event.detail.ctx.text?.includes("hx-swap-oob")) return;
    const page = new DOMParser().parseFromString(event.detail.ctx.text ?? "", "text/html");
    callback(status, page.querySelector("[data-message]")?.textContent?.trim() ?? "");
  });
}

/** An act that redirects (it was made for plain pages) leads there as a whole page, never into a dialog. */
document.addEventListener("htmx:before:response", (/** @type {any} */ event) => {
  const { ctx } = event.detail;
  if (!ctx.response.raw.redirected) return;
  event.preventDefault();
  location.assign(ctx.response.raw.url);
});
