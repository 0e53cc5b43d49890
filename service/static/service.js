// The pages' behaviour: submit a sweep, update the list, draw figures, follow events.
// The only library is plotly.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

async function fetchJson(url, options = {}) {
  const response = await fetch(url, options);
  if (response.status === 401) location.reload();
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail);
  return body;
}

function showError(within, error) {
  const message = $(".error", within);
  message.textContent = error ? error.message : "";
  message.hidden = !error;
}

// The form for a new sweep: field names with dots become a nested document.

function fieldValue(field) {
  const text = field.value.trim();
  if (field.type === "number") return Number(text);
  if ("json" in field.dataset) return JSON.parse(text);
  if ("list" in field.dataset) {
    const parts = text.replace(/^\[|\]$/g, "").split(",").map((part) => part.trim()).filter(Boolean);
    return parts.map((part) => (Number.isNaN(Number(part)) ? part : Number(part)));
  }
  return text;
}

function parseAxes(text) {
  const axes = {};
  for (const line of text.split("\n").filter((line) => line.trim())) {
    const [field, ...values] = line.split("=");
    if (!values.length) throw new Error(`a line should be NAME = VALUE; found ${line}`);
    axes[field.trim()] = values.join("=").trim();
  }
  return axes;
}

function sweepDocument(form) {
  const sweep = {};
  for (const field of $$("[name]", form)) {
    if (!field.value.trim() || field.closest("fieldset[disabled]")) continue;
    const [section, name] = field.name.split(".");
    if (field.tagName === "TEXTAREA") sweep[section] = parseAxes(field.value);
    else if (!name) sweep[section] = fieldValue(field);
    else (sweep[section] ??= {})[name] = fieldValue(field);
  }
  // A section with fields needs its name, which may be a default of the method or data set.
  for (const fieldset of $$("fieldset[data-kind]:not([disabled])", form)) {
    const section = sweep[fieldset.dataset.kind];
    if (section) section.name ??= fieldset.dataset.name;
  }
  return sweep;
}

function showFields(form) {
  const method = form.elements.method.selectedOptions[0].dataset;
  const data = form.elements["data.name"].selectedOptions[0].dataset;
  const selected = {
    data: form.elements["data.name"].value,
    model: form.elements["model.name"].value || ("tasks" in data && method.taskModel)
      || method.model || data.model,
    objective: method.objective,
    weighting: method.weighting,
  };
  $("#summary").textContent = method.summary;
  for (const fieldset of $$("fieldset[data-kind]", form)) {
    const visible = selected[fieldset.dataset.kind] === fieldset.dataset.name;
    fieldset.hidden = fieldset.disabled = !visible;
  }
}

function setUpForm(form) {
  let key = null;
  form.addEventListener("change", () => { key = null; showFields(form); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Keep the key until a field changes, so that submitting twice creates one sweep.
    key ??= `page-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    const button = $("button.primary", form);
    button.disabled = true;
    try {
      showError(form, null);
      const sweep = await fetchJson("/sweeps", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key },
        body: JSON.stringify(sweepDocument(form)),
      });
      location.assign(`/sweeps/${sweep.id}`);
    } catch (error) {
      showError(form, error);
      button.disabled = false;
    }
  });
  showFields(form);
}

// The list of sweeps: reloaded every two seconds while a sweep runs.

const REFRESH_MS = 2000;

// The link or checkbox of the new list that corresponds to `old`.
const counterpart = (old, within) =>
  $$("a, input", within).find((candidate) => candidate.name === old.name
    && (old.name ? candidate.value === old.value : old.href && candidate.href === old.href));

function setUpList(form) {
  // A sweep cannot be on both sides: checking one box of a sweep clears the other.
  form.addEventListener("change", ({ target }) => {
    for (const box of $$("input:checked", form)) {
      if (box !== target && target.checked && box.value === target.value) box.checked = false;
    }
  });
  const updateButton = () => {
    const sides = new Set($$("input:checked", form).map((box) => box.name));
    $("button.primary", form).disabled = sides.size < 2;
  };
  form.addEventListener("change", updateButton);
  updateButton();
  const refresh = async () => {
    if (!("live" in $("#sweeps").dataset) || document.hidden) return;
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.status === 401) return location.reload();
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const list = $("#sweeps", page);
    if (!list) return location.reload();
    for (const box of $$("input:checked", form)) {
      const same = counterpart(box, list);
      if (same) same.checked = true;
    }
    const focused = document.activeElement;
    $("#sweeps").replaceWith(list);
    counterpart(focused, list)?.focus({ preventScroll: true });
    updateButton();
  };
  const loop = async () => {
    // Ignore a failed request: the next one may succeed.
    await refresh().catch(() => {});
    setTimeout(loop, REFRESH_MS);
  };
  setTimeout(loop, REFRESH_MS);
}

// Figures: plotly JSON from the service, recoloured for dark mode.

const DARK = { "#30343B": "#dfe3e8", "#E6E8EB": "#2c3239", "#0072B2": "#56a8dd", "#D55E00": "#f0894a", '"white"': '"#1b1f24"' };

async function draw(plot) {
  const response = await fetch(plot.dataset.figure);
  if (!response.ok) {
    // Show the error only if there is no figure yet. A proxy's error may not be JSON.
    const problem = await response.json().catch(() => ({}));
    const empty = $(".empty", plot);
    if (empty) empty.textContent = problem.detail ?? `no figure: HTTP ${response.status}`;
    return null;
  }
  let text = await response.text();
  if (matchMedia("(prefers-color-scheme: dark)").matches) {
    for (const [light, dark] of Object.entries(DARK)) text = text.replaceAll(light, dark);
  }
  const { data, layout, config } = JSON.parse(text);
  $(".empty", plot)?.remove();
  await Plotly.react(plot, data, { ...layout, uirevision: "same", height: undefined }, config);
  // A mark with several keys is the mean of a setting; only then are there single trials to show.
  const means = data.some(({ customdata }) => customdata?.some((keys) => keys.includes(" ")));
  const box = $(".box:has(#single-trials)");
  if (box && means) box.hidden = false;
  return plot;
}

const shortText = (value) => typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value) || "–";

function newElement(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// A small line chart of one series of a trial's history.
function sparkline(name, values) {
  const known = values.map((value, i) => [i, value]).filter(([, value]) => value !== null);
  const numbers = known.map(([, value]) => value);
  const low = Math.min(...numbers), high = Math.max(...numbers);
  const point = ([i, value]) =>
    `${(100 * i) / Math.max(1, values.length - 1)},${30 - (26 * (value - low)) / (high - low || 1)}`;
  const figure = newElement("figure");
  const caption = newElement("figcaption", name);
  caption.append(newElement("span", known.length ? shortText(numbers.at(-1)) : "–"));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 34");
  svg.setAttribute("preserveAspectRatio", "none");
  const polyline = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  polyline.setAttribute("points", known.map(point).join(" "));
  svg.append(polyline);
  figure.append(caption, svg);
  return figure;
}

function definitionList(entries) {
  const list = newElement("dl");
  for (const [name, value] of entries) list.append(newElement("dt", name), newElement("dd", shortText(value)));
  return list;
}

const METRICS = [
  "rate_bits", "rate_lower_bits", "relevance_bits", "lost_bits", "prediction_cross_entropy_bits",
  "accuracy", "accuracy_sampled", "accuracy_one_sample",
];

// The panel beside the figure. Plotly does not notice that the figure gets narrower.
function openPanel() {
  const panel = $("#trial");
  const opened = panel.hidden;
  panel.hidden = false;
  if (opened && $("#plot .plot-container")) Plotly.Plots.resize($("#plot"));
  return panel;
}

async function showTrial(sweep, key) {
  const panel = openPanel();
  const trial = await fetchJson(`/sweeps/${sweep}/trials/${key}`);
  const parameters = ["objective", "weighting", "model", "training"].flatMap((kind) =>
    Object.entries(trial.spec[kind] ?? {})
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name === "name" ? kind : name.replaceAll("_", " "), value]));
  const metrics = METRICS.filter((name) => typeof trial.test?.[name] === "number")
    .map((name) => [name.replaceAll("_", " "), trial.test[name]]);
  panel.replaceChildren(
    newElement("h2", trial.trial),
    newElement("small", `${trial.status}, ${shortText(trial.seconds)} s on ${trial.device || "cpu"}`),
    ...(trial.reason ? [newElement("p", trial.reason)] : []),
    definitionList(metrics),
    ...Object.entries(trial.history).map(([name, values]) => sparkline(name, values)),
    definitionList([...parameters, ["seed", trial.spec.seed]]),
  );
  if (trial.model && !trial.model.missing) {
    const href = `/sweeps/${sweep}/trials/${trial.trial}/model`;
    const size = shortText(trial.model.bytes / 1e6);
    panel.append(newElement("a", `Model, ${size} MB`, { href, download: "" }), " ");
  }
  if (trial.address) {
    panel.append(newElement("a", "MLflow run", { href: trial.address, rel: "noreferrer" }));
  }
}

// A mark of the figure that is the mean of a setting: its trials, with a link to each.
function showSetting(sweep, keys) {
  const list = newElement("ul");
  for (const key of keys) {
    const link = newElement("a", key, { href: `#${key}` });
    link.addEventListener("click", () => showTrial(sweep, key));
    const item = newElement("li");
    item.append(link);
    list.append(item);
  }
  openPanel().replaceChildren(
    newElement("h2", `${keys.length} trials`),
    newElement("small", "The mark is the mean of these trials, which differ only in the seed."),
    list,
  );
}

// The box "single trials" changes the URLs of the figure and of the downloads.
function setUpSingleTrials(plot, redraw) {
  const box = $("#single-trials");
  if (!box) return;
  const changed = (url) => {
    const { pathname, searchParams } = new URL(url, location);
    searchParams.delete("trials");
    if (box.checked) searchParams.set("trials", "true");
    return `${pathname}?${searchParams}`;
  };
  const apply = () => {
    plot.dataset.figure = changed(plot.dataset.figure);
    for (const link of $$(".links a")) link.href = changed(link.href);
  };
  box.addEventListener("change", () => { apply(); redraw(); });
  // A browser keeps the box when the page is loaded again.
  box.checked = false;
}

// The form that chooses one setting by a rule.
function setUpChoice(form, sweep) {
  const { rule, value } = form.elements;
  rule.addEventListener("change", () => {
    const first = rule.selectedOptions[0].dataset.value;
    value.hidden = value.disabled = first === undefined;
    if (first) value.value = first;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const choice = $("#choice");
    choice.hidden = true;
    try {
      showError(form, null);
      const query = new URLSearchParams({ [rule.value]: value.disabled ? "true" : value.value });
      const pick = await fetchJson(`/sweeps/${sweep}/pick?${query}`);
      choice.textContent = pick.text;
      choice.hidden = false;
      await showTrial(sweep, pick.trial);
    } catch (error) {
      showError(form, error);
    }
  });
}

// The request of each button; the page of a cancelled sweep follows its events.
const ACTIONS = {
  cancel: ["DELETE", ""],
  resume: ["POST", "/resume"],
  archive: ["POST", "/archive"],
  unarchive: ["DELETE", "/archive"],
  delete: ["POST", "/delete"],
};

// The page of a sweep: its figure, its buttons, and updates while the sweep runs.

function setUpSweep(article) {
  const id = article.dataset.id;
  const plot = $("#plot");
  let timer = null, trialInUrl = location.hash.slice(1);
  const refreshSections = setUpSections(article, id);
  const redraw = async () => {
    timer = null;
    refreshSections();
    if (await draw(plot) && !plot.dataset.clickable) {
      plot.dataset.clickable = "yes";
      plot.on("plotly_click", ({ points }) => {
        const keys = points[0].customdata?.split(" ") ?? [];
        if (keys.length > 1) showSetting(id, keys);
        else if (keys.length) {
          history.replaceState(null, "", `#${keys[0]}`);
          showTrial(id, keys[0]);
        }
      });
    }
    if (trialInUrl && plot.dataset.clickable) { showTrial(id, trialInUrl); trialInUrl = ""; }
  };
  setUpSingleTrials(plot, redraw);
  setUpChoice($("#choose"), id);
  if ("hasTrials" in article.dataset) redraw();
  for (const button of $$("[data-action]", article)) {
    button.addEventListener("click", async () => {
      const { action, confirm: question } = button.dataset;
      if (question && !confirm(question)) return;
      button.disabled = true;
      try {
        showError(article, null);
        const [method, path] = ACTIONS[action];
        await fetchJson(`/sweeps/${id}${path}`, { method });
        if (action === "delete") location.assign("/");
        else if (action !== "cancel") location.reload();
      } catch (error) {
        showError(article, error);
        button.disabled = false;
      }
    });
  }
  // Redraw at most once a second.
  if (article.dataset.status === "running") followEvents(article, id, () => { timer ??= setTimeout(redraw, 1000); });
}

// The forms of a sweep's page: an extension, the note and the tags.

function setUpSweepForm(form, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("button.primary", form);
    button.disabled = true;
    try {
      showError(form, null);
      await send();
      location.reload();
    } catch (error) {
      showError(form, error);
      button.disabled = false;
    }
  });
}

const sendJson = (method, url, body) =>
  fetchJson(url, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function setUpExtend(form, id) {
  setUpSweepForm(form, () => {
    const additions = {};
    for (const field of $$("[name]", form)) {
      const text = field.value.trim();
      if (text) additions[field.name] = field.tagName === "TEXTAREA" ? parseAxes(text) : text;
    }
    return sendJson("POST", `/sweeps/${id}/extend`, additions);
  });
}

function setUpAnnotate(form, id) {
  const { note, tags } = form.elements;
  const before = parseAxes(tags.value);
  setUpSweepForm(form, async () => {
    const now = parseAxes(tags.value);
    const changes = Object.fromEntries(Object.entries(now).filter(([name, value]) => before[name] !== value));
    for (const name of Object.keys(before)) if (!(name in now)) changes[name] = null;
    if (Object.keys(changes).length) await sendJson("PATCH", `/sweeps/${id}/tags`, changes);
    if (note.value !== note.defaultValue) await sendJson("PUT", `/sweeps/${id}/note`, { note: note.value });
  });
}

// The event stream of a sweep. A browser reconnects after a lost connection, but not after a
// response other than 200. Then `followEvents` opens a new stream, after a pause that doubles from
// 2 s to 30 s.

const MIN_PAUSE_MS = 2000, MAX_PAUSE_MS = 30000;

function workersText({ count, cpus, gpus }) {
  const counted = (number, noun) => `${number} ${noun}${number > 1 ? "s" : ""}`;
  return `${counted(count, "worker")} × ${counted(cpus, "CPU")}${gpus ? ` and ${counted(gpus, "GPU")}` : ""}`;
}

function followEvents(article, id, redraw, pause = MIN_PAUSE_MS) {
  const events = new EventSource(`/sweeps/${id}/events`);
  let drawn = 0;
  const showLost = (lost) => { $("#connection").hidden = !lost; };
  events.addEventListener("open", () => { showLost(false); pause = MIN_PAUSE_MS; });
  events.addEventListener("error", () => {
    showLost(true);
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(() => followEvents(article, id, redraw, Math.min(2 * pause, MAX_PAUSE_MS)), pause);
  });
  events.addEventListener("progress", ({ data }) => {
    const { trials, hypervolume, workers, packs } = JSON.parse(data);
    const ended = trials.finished + trials.stopped + trials.failed;
    $("#progress progress").value = ended + (packs ? packs.trials * packs.completed : 0);
    $("#progress .epoch").textContent = packs ? `epoch ${packs.epoch}/${packs.epochs}` : "";
    if (workers) $("#workers").textContent = workersText(workers);
    $("#progress .count").textContent = `${ended} / ${trials.total}`;
    $("#stopped-failed").textContent = `${trials.stopped}, ${trials.failed}`;
    if (hypervolume !== null) $("#hypervolume").textContent = Number(hypervolume.toPrecision(5));
    if (ended > drawn) redraw();
    drawn = ended;
  });
  events.addEventListener("end", ({ data }) => {
    events.close();
    const { status, reason } = JSON.parse(data);
    if (reason) showError(article, new Error(reason));
    $("#status").replaceChildren(newElement("span", status, { class: `status ${status}` }));
    $("[data-action=cancel]").hidden = true;
    for (const button of $$("[data-ended]", article)) button.hidden = false;
    $("[data-action=resume]").hidden = !["cancelled", "interrupted", "failed"].includes(status);
    $("#progress .epoch").textContent = "";
    if (drawn) redraw();
  });
}

// The scripts are deferred: when the document is complete, all of them have run.
document.addEventListener("DOMContentLoaded", () => {
  if ($("#submit")) setUpForm($("#submit"));
  if ($("#compare")) setUpList($("#compare"));
  if ($("#sweep")) {
    const sweep = $("#sweep");
    setUpSweep(sweep);
    setUpExtend($("#extend"), sweep.dataset.id);
    setUpAnnotate($("#annotate"), sweep.dataset.id);
  }
  if ($("#comparison")) {
    const plot = $("#plot");
    setUpSingleTrials(plot, () => draw(plot));
    draw(plot);
  }
});
