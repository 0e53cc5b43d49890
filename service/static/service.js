// What the pages do beside being read: submit, watch, draw, compare. No library but plotly.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

async function ask(address, options = {}) {
  const answer = await fetch(address, options);
  if (answer.status === 401) location.reload();
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail);
  return document;
}

function complain(within, error) {
  const place = $(".error", within);
  place.textContent = error ? error.message : "";
  place.hidden = !error;
}

// The form: fields by their dotted names become one document.

function parsed(field) {
  const text = field.value.trim();
  if (field.type === "number") return Number(text);
  if ("json" in field.dataset) return JSON.parse(text);
  if ("list" in field.dataset) {
    const parts = text.replace(/^\[|\]$/g, "").split(",").map((part) => part.trim()).filter(Boolean);
    return parts.map((part) => (Number.isNaN(Number(part)) ? part : Number(part)));
  }
  return text;
}

function axes(text) {
  const found = {};
  for (const line of text.split("\n").filter((line) => line.trim())) {
    const [field, ...values] = line.split("=");
    if (!values.length) throw new Error(`a line should be FIELD = VALUES; found ${line}`);
    found[field.trim()] = values.join("=").trim();
  }
  return found;
}

function sweepOf(form) {
  const document = {};
  for (const field of $$("[name]", form)) {
    if (!field.value.trim() || field.closest("fieldset[disabled]")) continue;
    const [section, name] = field.name.split(".");
    if (field.tagName === "TEXTAREA") document[section] = axes(field.value);
    else if (!name) document[section] = parsed(field);
    else (document[section] ??= {})[name] = parsed(field);
  }
  // A section's fields need its name, which the method or data set chose.
  for (const set of $$("fieldset[data-kind]:not([disabled])", form)) {
    const section = document[set.dataset.kind];
    if (section) section.name ??= set.dataset.name;
  }
  return document;
}

function showFields(form) {
  const method = form.elements.method.selectedOptions[0].dataset;
  const data = form.elements["data.name"].selectedOptions[0].dataset;
  const chosen = {
    data: form.elements["data.name"].value,
    model: form.elements["model.name"].value || ("tasks" in data && method.taskModel)
      || method.model || data.model,
    objective: method.objective,
    weighting: method.weighting,
  };
  $("#summary").textContent = method.summary;
  for (const set of $$("fieldset[data-kind]", form)) {
    const shown = chosen[set.dataset.kind] === set.dataset.name;
    set.hidden = set.disabled = !shown;
  }
}

function submitting(form) {
  let key = null;
  form.addEventListener("change", () => { key = null; showFields(form); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // The same key until something changes: pressing twice makes one sweep.
    key ??= `page-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    const button = $("button.primary", form);
    button.disabled = true;
    try {
      complain(form, null);
      const sweep = await ask("/sweeps", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key },
        body: JSON.stringify(sweepOf(form)),
      });
      location.assign(`/sweeps/${sweep.id}`);
    } catch (error) {
      complain(form, error);
      button.disabled = false;
    }
  });
  showFields(form);
}

// The list: while a sweep runs it is rendered anew every two seconds.

const twin = (one, within) =>
  $$("a, input", within).find((other) => other.name === one.name
    && (one.name ? other.value === one.value : one.href && other.href === one.href));

function listing(form) {
  const update = () => {
    const sides = new Set($$("input:checked", form).map((box) => box.name));
    $("button.primary", form).disabled = sides.size < 2;
  };
  form.addEventListener("change", update);
  update();
  const refresh = async () => {
    if (!("live" in $("#sweeps").dataset) || document.hidden) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = $("#sweeps", page);
    if (!fresh) return location.reload();
    for (const box of $$("input:checked", form)) {
      const same = twin(box, fresh);
      if (same) same.checked = true;
    }
    const focused = document.activeElement;
    $("#sweeps").replaceWith(fresh);
    twin(focused, fresh)?.focus({ preventScroll: true });
    update();
  };
  const again = async () => {
    // A service that is away or full may answer the next time.
    await refresh().catch(() => {});
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}

// Pictures: the server's figures, in the colours of the page.

const DARK = { "#30343B": "#dfe3e8", "#E6E8EB": "#2c3239", "#0072B2": "#56a8dd", "#D55E00": "#f0894a", '"white"': '"#1b1f24"' };

async function draw(place) {
  const answer = await fetch(place.dataset.figure);
  if (!answer.ok) {
    // Said where there is no picture yet; a former one stays. A proxy's answer has no words of ours.
    const problem = await answer.json().catch(() => ({}));
    const empty = $(".empty", place);
    if (empty) empty.textContent = problem.detail ?? `no picture: HTTP ${answer.status}`;
    return null;
  }
  let text = await answer.text();
  if (matchMedia("(prefers-color-scheme: dark)").matches) {
    for (const [light, dark] of Object.entries(DARK)) text = text.replaceAll(light, dark);
  }
  const { data, layout, config } = JSON.parse(text);
  $(".empty", place)?.remove();
  await Plotly.react(place, data, { ...layout, uirevision: "same", height: undefined }, config);
  return place;
}

const short = (value) => typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value) || "–";

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function line(name, values) {
  const known = values.map((value, i) => [i, value]).filter(([, value]) => value !== null);
  const numbers = known.map(([, value]) => value);
  const low = Math.min(...numbers), high = Math.max(...numbers);
  const at = ([i, value]) =>
    `${(100 * i) / Math.max(1, values.length - 1)},${30 - (26 * (value - low)) / (high - low || 1)}`;
  const figure = element("figure");
  const caption = element("figcaption", name);
  caption.append(element("span", known.length ? short(numbers.at(-1)) : "–"));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 34");
  svg.setAttribute("preserveAspectRatio", "none");
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  drawn.setAttribute("points", known.map(at).join(" "));
  svg.append(drawn);
  figure.append(caption, svg);
  return figure;
}

function pairs(entries) {
  const list = element("dl");
  for (const [name, value] of entries) list.append(element("dt", name), element("dd", short(value)));
  return list;
}

const SHOWN = ["rate_bits", "rate_lower_bits", "relevance_bits", "lost_bits", "accuracy"];

async function showTrial(sweep, key) {
  const place = $("#trial");
  const trial = await ask(`/sweeps/${sweep}/trials/${key}`);
  const parameters = ["objective", "weighting", "model", "training"].flatMap((kind) =>
    Object.entries(trial.spec[kind] ?? {})
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name === "name" ? kind : name.replaceAll("_", " "), value]));
  const measured = SHOWN.filter((name) => typeof trial.test?.[name] === "number")
    .map((name) => [name.replaceAll("_", " "), trial.test[name]]);
  place.replaceChildren(
    element("h2", trial.trial),
    element("small", `${trial.status}, ${short(trial.seconds)} s on ${trial.device || "cpu"}`),
    ...(trial.reason ? [element("p", trial.reason)] : []),
    pairs(measured),
    ...Object.entries(trial.history).map(([name, values]) => line(name, values)),
    pairs([...parameters, ["seed", trial.spec.seed]]),
  );
  if (trial.address) {
    place.append(element("a", "MLflow run", { href: trial.address, rel: "noreferrer" }));
  }
}

// A sweep's page: drawn, and while it runs told of what ends.

function watching(article) {
  const id = article.dataset.id;
  const plot = $("#plot");
  let due = null, chosen = location.hash.slice(1);
  const redraw = async () => {
    due = null;
    if (await draw(plot) && !plot.dataset.listens) {
      plot.dataset.listens = "yes";
      plot.on("plotly_click", ({ points }) => {
        const key = points[0].customdata;
        if (key) {
          history.replaceState(null, "", `#${key}`);
          showTrial(id, key);
        }
      });
    }
    if (chosen && plot.dataset.listens) { showTrial(id, chosen); chosen = ""; }
  };
  if ("drawn" in article.dataset) redraw();
  for (const button of $$("[data-does]", article)) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        complain(article, null);
        const resume = button.dataset.does === "resume";
        await ask(`/sweeps/${id}${resume ? "/resume" : ""}`, { method: resume ? "POST" : "DELETE" });
        if (resume) location.reload();
      } catch (error) {
        complain(article, error);
        button.disabled = false;
      }
    });
  }
  if (article.dataset.status === "running") follow(article, id, () => { due ??= setTimeout(redraw, 1000); });
}

// Events as they come. A browser gives up after any answer but 200, so it is asked to begin anew.

function follow(article, id, redraw, pause = 2000) {
  const events = new EventSource(`/sweeps/${id}/events`);
  const lost = (isLost) => { $("#connection").hidden = !isLost; };
  events.addEventListener("open", () => { lost(false); pause = 2000; });
  events.addEventListener("error", () => {
    lost(true);
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(() => follow(article, id, redraw, Math.min(2 * pause, 30000)), pause);
  });
  events.addEventListener("progress", ({ data }) => {
    const { trials, hypervolume } = JSON.parse(data);
    const ended = trials.finished + trials.stopped + trials.failed;
    $("#progress progress").value = ended;
    $("#progress .count").textContent = `${ended} / ${trials.total}`;
    $("#lost").textContent = `${trials.stopped}, ${trials.failed}`;
    if (hypervolume !== null) $("#hypervolume").textContent = Number(hypervolume.toPrecision(5));
    if (ended) redraw();
  });
  events.addEventListener("end", ({ data }) => {
    events.close();
    const { status, reason } = JSON.parse(data);
    if (reason) complain(article, new Error(reason));
    const shown = element("span", status, { class: `status ${status}` });
    $("#status").replaceChildren(shown);
    $("[data-does=cancel]").hidden = true;
    $("[data-does=resume]").hidden = !["interrupted", "failed"].includes(status);
    if ($("#progress progress").value > 0) redraw();
  });
}

if ($("#submit")) submitting($("#submit"));
if ($("#compare")) listing($("#compare"));
if ($("#sweep")) watching($("#sweep"));
if ($("#comparison")) draw($("#plot"));
