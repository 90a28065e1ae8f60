// Shows the OpenAPI document and lets its operations be tried. Only text is ever put into the page.
"use strict";

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function typeOf(schema, components) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return `list of ${typeOf(schema.items, components)}`;
  if (schema.enum) return schema.enum.join(" | ");
  return [schema.type ?? "any", schema.format].filter(Boolean).join(" ");
}

function resolve(schema, components) {
  return schema?.$ref ? components[schema.$ref.split("/").pop()] : schema;
}

function fieldsTable(schema, components) {
  const real = resolve(schema, components);
  const rows = Object.entries(real?.properties ?? {});
  if (rows.length === 0) return element("p", typeOf(schema, components));
  const table = element("table");
  for (const [name, field] of rows) {
    const row = table.insertRow();
    row.append(element("td", name + (real.required?.includes(name) ? " *" : "")));
    row.append(element("td", typeOf(field, components)));
    row.append(element("td", field.description ?? resolve(field, components)?.description ?? ""));
  }
  return table;
}

function inputsFor(operation, content, components) {
  const inputs = [];
  const add = (place, name, input, note) => {
    const label = element("label", `${name} `);
    input.setAttribute("aria-label", name);
    label.append(input);
    inputs.push({ place, name, input, label, note });
  };
  for (const parameter of operation.parameters ?? []) {
    add(parameter.in, parameter.name, element("input"), parameter.description);
  }
  const form = content["multipart/form-data"];
  if (form) {
    for (const [name, field] of Object.entries(resolve(form.schema, components).properties)) {
      const input = element("input");
      if (field.format === "binary") input.type = "file";
      add("form", name, input, field.description);
    }
  }
  if (content["application/json"]) add("json", "body", element("textarea"), "");
  return inputs;
}

async function send(verb, path, inputs, output) {
  const query = new URLSearchParams();
  const headers = {};
  const token = document.getElementById("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  let body;
  for (const { place, name, input } of inputs) {
    const value = input.type === "file" ? input.files[0] : input.value;
    if (!value) continue;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    if (place === "query") query.set(name, value);
    if (place === "form") (body ??= new FormData()).append(name, value);
    if (place === "json") { body = value; headers["Content-Type"] = "application/json"; }
  }
  const address = `.${path}${query.size ? `?${query}` : ""}`;
  try {
    const answer = await fetch(address, { method: verb.toUpperCase(), headers, body, credentials: "omit" });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    output.textContent = `${answer.status} ${answer.statusText}\n${shown}`;
  } catch (error) {
    output.textContent = `The request could not be sent: ${error.message}`;
  }
}

function operationView(path, verb, operation, components) {
  const view = element("details");
  const summary = element("summary");
  summary.append(element("span", verb.toUpperCase(), "verb"), element("code", path), element("span", ` ${operation.summary ?? ""}`));
  view.append(summary);
  if (operation.description) view.append(element("p", operation.description));
  const content = operation.requestBody?.content ?? {};
  for (const [type, { schema }] of Object.entries(content)) {
    view.append(element("h3", `Body: ${type}`), fieldsTable(schema, components));
  }
  view.append(element("h3", "Answers"));
  const answers = element("table");
  for (const [status, answer] of Object.entries(operation.responses)) {
    const row = answers.insertRow();
    row.append(element("td", status), element("td", answer.description));
    row.append(element("td", Object.values(answer.content ?? {}).map(({ schema }) => typeOf(schema, components)).join(", ")));
  }
  view.append(answers, element("h3", "Try it"));
  const inputs = inputsFor(operation, content, components);
  for (const { label, note } of inputs) {
    const line = element("div");
    line.append(label, element("small", ` ${note ?? ""}`));
    view.append(line);
  }
  const button = element("button", "Send");
  const output = element("pre");
  output.hidden = true;
  button.type = "button";
  button.addEventListener("click", () => { output.hidden = false; send(verb, path, inputs, output); });
  view.append(button, output);
  return view;
}

fetch("openapi.json").then((answer) => answer.json()).then((document_) => {
  const components = document_.components?.schemas ?? {};
  const views = [];
  for (const [path, operations] of Object.entries(document_.paths)) {
    for (const [verb, operation] of Object.entries(operations)) views.push(operationView(path, verb, operation, components));
  }
  document.getElementById("operations").replaceChildren(...views);
}).catch((error) => {
  document.getElementById("operations").textContent = `The document could not be loaded: ${error.message}`;
});
