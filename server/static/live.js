// Keeps what is on the screen fresh: asks for the same page again and swaps its live part. Everything on the pages
// works without this file.

const FOCUSABLE = "a[href], button, input, summary, [tabindex]";

/** The live part of a document. */
const livePart = (root) => root.querySelector("[data-live]");

/** Whether somebody is writing inside the live part: then nothing moves. */
function isBusy(part) {
  const active = document.activeElement;
  const typed = [...part.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== "");
  return typed || (active instanceof HTMLInputElement && part.contains(active));
}

/** Puts the fresh part in place of the old one; what was open stays open, what had the focus keeps it. */
function swap(old, fresh) {
  for (const details of old.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  }
  const focused = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (focused >= 0) {
    fresh.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  }
}

/** Asks for the page again; what was there last is compared, so that nothing moves unless something changed. */
async function refresh(last) {
  const response = await fetch(location.href, { credentials: "same-origin", cache: "no-store", redirect: "manual" });
  if (response.status === 401 || response.type === "opaqueredirect") {
    location.reload();
    return last;
  }
  if (!response.ok) {
    throw new Error(`status ${response.status}`);
  }
  const fresh = livePart(new DOMParser().parseFromString(await response.text(), "text/html"));
  const old = livePart(document);
  if (!fresh || !old || isBusy(old)) {
    return last;
  }
  const html = fresh.innerHTML;
  if (html !== last) {
    swap(old, document.importNode(fresh, true));
  }
  return html;
}

/** Refreshes for as long as the page is open and visible. */
async function keepFresh() {
  let last = livePart(document)?.innerHTML;
  const stale = document.getElementById("stale");
  while (livePart(document)) {
    const seconds = Number(livePart(document).dataset.live) || 30;
    await new Promise((wake) => setTimeout(wake, seconds * 1000));
    if (document.hidden) {
      continue;
    }
    try {
      last = await refresh(last);
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  }
}

/**
 * A link from another site, an e-mail for instance, comes without the session's cookie and so lands on the page to
 * sign in. Asked from here the cookie is sent: who has a session goes on to where the link led.
 */
async function skipSignIn(form) {
  const response = await fetch("/", { credentials: "same-origin", cache: "no-store", redirect: "manual" });
  if (response.ok && form.key.value === "") {
    location.replace(form.dataset.next);
  }
}

const signIn = document.querySelector("form[data-next]");
if (signIn) {
  skipSignIn(signIn).catch(() => {});
} else {
  keepFresh();
}
