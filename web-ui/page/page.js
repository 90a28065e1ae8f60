// The one page: everything it shows comes from the public API, and everything it shows is text.
"use strict";

const state = { token: "", query: "", cursor: null };

async function api(path) {
  const headers = state.token ? { Authorization: `Bearer ${state.token}` } : {};
  const answer = await fetch(path, { headers, credentials: "omit" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${body.detail}. ${body.hint}`);
  return body;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(titles, rows) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const [title, className] of titles) {
    const cell = element("th", title, className);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((text, at) => line.append(element("td", text, at === 0 ? "mono" : titles[at][1])));
  }
  return made;
}

function show(target, ...content) {
  document.getElementById(target).replaceChildren(...content);
}

function fail(target, error) {
  show(target, element("p", error.message, "error"));
}

function setup(repositories) {
  const own = repositories.find((one) => one.format === "go" && one.default_upload) ??
    repositories.find((one) => one.format === "go");
  if (own) show("setup", element("code", `go env -w GOPROXY=${location.origin}/go/${own.name},direct`));
}

async function loadRepositories() {
  try {
    const { items } = await api("/api/repositories");
    setup(items);
    if (items.length === 0) {
      show("repositories", element("p", "None can be read without a login. Use a token below."));
      return;
    }
    const rows = items.map((one) => [
      `${one.format}/${one.name}`, one.anonymous_read ? "everyone" : "with a login",
      String(one.counts.packages), String(one.counts.artifacts), size(one.counts.bytes),
    ]);
    show("repositories", table([["Repository"], ["Readable by"], ["Packages", "wide"], ["Versions"], ["Size", "wide"]], rows));
  } catch (error) {
    fail("repositories", error);
  }
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (bytes >= 1024 && at < units.length - 1) { bytes /= 1024; at += 1; }
  return `${at === 0 ? bytes : bytes.toFixed(1)} ${units[at]}`;
}

async function loadArtifacts(append) {
  const query = new URLSearchParams({ limit: "50" });
  if (state.query) query.set("q", state.query);
  if (append && state.cursor) query.set("cursor", state.cursor);
  const more = document.getElementById("more");
  try {
    const page = await api(`/api/artifacts?${query}`);
    state.cursor = page.next_cursor ?? null;
    more.hidden = state.cursor === null;
    const rows = page.items.map((one) => [
      one.name, one.version, `${one.format}/${one.repository}`, new Date(one.published_at).toLocaleString(), one.published_by,
    ]);
    if (append) {
      const made = table([], []);
      for (const row of rows) {
        const line = made.insertRow();
        row.forEach((text, at) => line.append(element("td", text, ["mono", "", "wide", "wide", "wide"][at])));
      }
      document.querySelector("#artifacts tbody").append(...made.rows);
    } else if (rows.length === 0) {
      show("artifacts", element("p", state.query ? "No name contains this." : "Nothing is published yet."));
    } else {
      show("artifacts", table([["Package"], ["Version"], ["Repository", "wide"], ["Published", "wide"], ["By", "wide"]], rows));
    }
  } catch (error) {
    more.hidden = true;
    fail("artifacts", error);
  }
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  state.query = document.getElementById("q").value.trim();
  loadArtifacts(false);
});
document.getElementById("more").addEventListener("click", () => loadArtifacts(true));
document.getElementById("login").addEventListener("submit", (event) => {
  event.preventDefault();
  state.token = document.getElementById("token").value.trim();
  loadRepositories();
  loadArtifacts(false);
});
loadRepositories();
loadArtifacts(false);
