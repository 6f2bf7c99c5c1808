// Sends what the forms of the API's page say, as a program would send it, with the session of the reader.

/** The path with its names filled in and its query. */
function address(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input[data-in]")) {
    if (input.dataset.in === "path") {
      path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else if (input.dataset.in === "query" && input.value !== "") {
      query.append(input.name, input.value);
    }
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** The request that a form says. */
function request(form) {
  const headers = new Headers();
  for (const input of form.querySelectorAll("input[data-in=header]")) {
    if (input.value !== "") {
      headers.set(input.name, input.value);
    }
  }
  const source = form.querySelector("[data-media]");
  const body = source?.type === "file" ? source.files[0] : source?.value;
  if (body) {
    headers.set("Content-Type", source.dataset.media);
  }
  return { method: form.dataset.method, headers, body: body || undefined, credentials: "same-origin" };
}

/** JSON is indented; other texts stay as they are; a stream is shown as far as it came. */
async function told(response) {
  const kind = response.headers.get("Content-Type") ?? "";
  if (!/json|text/.test(kind)) {
    return `${(await response.blob()).size} bytes`;
  }
  const text = await response.text();
  try {
    return kind.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  } catch {
    return text;
  }
}

/** Sends a form and shows what came. */
async function send(form) {
  const outcome = form.querySelector(".outcome");
  const [status, note] = outcome.querySelectorAll("span");
  const code = outcome.querySelector("code");
  const url = address(form);
  const started = performance.now();
  try {
    const response = await fetch(url, request(form));
    code.textContent = await told(response);
    status.textContent = String(response.status);
    status.classList.toggle("refusal", !response.ok);
  } catch (error) {
    code.textContent = String(error);
    status.textContent = "—";
    status.classList.add("refusal");
  }
  note.textContent = `${form.dataset.method} ${url} · ${Math.round(performance.now() - started)} ms`;
  outcome.hidden = false;
}

/** Opens what the address names, so that links to operations and schemas show them. */
function open() {
  const place = location.hash === "" ? null : document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (place instanceof HTMLDetailsElement) {
    place.open = true;
    place.scrollIntoView();
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
window.addEventListener("hashchange", open);
open();
