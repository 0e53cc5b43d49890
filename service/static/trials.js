// The sections below a sweep's picture: the table of trials, parallel coordinates, importance.
// Every section loads when it is opened first.
"use strict";

const ROWS = 25; // shown at first
const MEASURES = ["rate_bits", "lost_bits", "accuracy", "seconds"];
const CONDITION = /^([\w.]+)\s*(<=|>=|!=|=|<|>)\s*(\S+)$/;

const COMPARE = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a === b, "!=": (a, b) => a !== b,
};

// The rows of the table: ended trials with their varied fields, then trials without a result.
function trialRows(front) {
  const measured = front.points.map((point) => ({
    trial: point.trial,
    ...point.params,
    seed: point.seed,
    ...Object.fromEntries(MEASURES.map((name) => [name, point[name]])),
    front: point.on_front ? "yes" : "",
  }));
  const others = front.failed.map(({ trial, seed, status }) => ({ trial, seed, front: status }));
  return [...measured, ...others];
}

// The columns that differ between trials, and the columns that every table has.
function trialColumns(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const varied = (name) => new Set(rows.map((row) => JSON.stringify(row[name]))).size > 1;
  const always = ["trial", ...MEASURES, "front"];
  return names.filter((name) => always.includes(name) || varied(name));
}

// The conditions of a filter such as `rate_bits<5, front`; a word alone means that it is not empty.
function parseFilter(text, columns) {
  return text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
    const [, name = part, operator = "!=", value = ""] = CONDITION.exec(part) ?? [];
    const column = columns.find((column) => column === name || column.endsWith(`.${name}`));
    if (!column) throw new Error(`a condition should begin with a column; found ${part}`);
    const wanted = value === "" || Number.isNaN(Number(value)) ? value : Number(value);
    return (row) => COMPARE[operator](cellValue(row[column]), wanted);
  });
}

const cellValue = (value) => value === undefined || value === null ? ""
  : typeof value === "number" ? value : typeof value === "string" ? value : JSON.stringify(value);

function byColumn(column, descending) {
  const empty = (value) => value === "";
  return (a, b) => {
    const [x, y] = [cellValue(a[column]), cellValue(b[column])];
    if (empty(x) || empty(y)) return empty(x) - empty(y); // empty cells come last
    const order = typeof x === "number" && typeof y === "number" ? x - y
      : String(x).localeCompare(String(y));
    return descending ? -order : order;
  };
}

const csvCell = (value) => {
  const text = String(cellValue(value));
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

function setUpTrials(section, id) {
  const table = $("table", section), filter = $("input", section), more = $(".more", section);
  let rows = [], columns = [], shown = [], limit = ROWS;
  let sorted = { column: "rate_bits", descending: false };

  const header = () => {
    const cells = columns.map((column) => {
      const cell = newElement("th", undefined, { scope: "col" });
      const button = newElement("button", column.replace(/^.*\./, "").replaceAll("_", " "), { title: column });
      if (column === sorted.column) {
        cell.setAttribute("aria-sort", sorted.descending ? "descending" : "ascending");
      }
      button.addEventListener("click", () => {
        sorted = { column, descending: column === sorted.column && !sorted.descending };
        show();
        $(`button[title="${CSS.escape(column)}"]`, table).focus();
      });
      cell.append(button);
      return cell;
    });
    $("thead tr", table).replaceChildren(...cells);
  };

  const rowElement = (row) => {
    const element = newElement("tr");
    for (const column of columns) {
      const value = cellValue(row[column]);
      const cell = newElement("td");
      if (column === "trial") cell.append(newElement("a", value.slice(0, 12), { href: `#${value}` }));
      else cell.textContent = value === "" ? "" : shortText(value);
      element.append(cell);
    }
    return element;
  };

  const show = () => {
    try {
      showError(section, null);
      const conditions = parseFilter(filter.value, columns);
      shown = rows.filter((row) => conditions.every((holds) => holds(row)));
    } catch (error) {
      showError(section, error);
      return;
    }
    shown.sort(byColumn(sorted.column, sorted.descending));
    header();
    $("tbody", table).replaceChildren(...shown.slice(0, limit).map(rowElement));
    $(".count", section).textContent = `${shown.length} of ${rows.length} trials`;
    more.hidden = shown.length <= limit;
  };

  filter.addEventListener("input", show);
  more.addEventListener("click", () => { limit = Infinity; show(); });
  table.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link) showTrial(id, link.hash.slice(1));
  });
  $(".download", section).addEventListener("click", () => {
    const lines = [columns, ...shown.map((row) => columns.map((column) => row[column]))];
    const text = lines.map((cells) => cells.map(csvCell).join(",")).join("\r\n");
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    newElement("a", undefined, { href: url, download: `${section.dataset.name}-trials.csv` }).click();
    URL.revokeObjectURL(url);
  });
  return async () => {
    const front = await fetchJson(`/sweeps/${id}/front`);
    rows = trialRows(front);
    columns = trialColumns(rows);
    show();
  };
}

async function showImportance(section, id) {
  const { shares, reason, trials } = await fetchJson(`/sweeps/${id}/importance`);
  const measures = Object.keys(shares);
  $(".note", section).textContent = reason ? `No importance: ${reason}.`
    : `Share of the variance of each measure among ${trials} trials that a field explains (functional ANOVA).`;
  if (reason) return;
  const names = [...new Set(measures.flatMap((measure) => Object.keys(shares[measure])))];
  const largest = (name) => Math.max(...measures.map((measure) => shares[measure][name]));
  names.sort((a, b) => largest(b) - largest(a));
  const head = newElement("tr");
  head.append(newElement("td"), ...measures.map((measure) => newElement("th", measure, { scope: "col" })));
  const body = names.map((name) => {
    const row = newElement("tr");
    row.append(newElement("th", name.replace(/^.*\./, "").replaceAll("_", " "), { scope: "row", title: name }));
    for (const measure of measures) {
      const percent = Math.round(100 * shares[measure][name]);
      const cell = newElement("td", `${percent} %`);
      cell.append(newElement("meter", undefined, { min: 0, max: 100, value: percent, "aria-hidden": "true" }));
      row.append(cell);
    }
    return row;
  });
  $("thead", section).replaceChildren(head);
  $("tbody", section).replaceChildren(...body);
}

// Open sections are filled at once, closed ones when they are opened; `refresh` fills them again.
function setUpSections(article, id) {
  const fill = {
    trials: setUpTrials($("#trials"), id),
    parallel: async () => {
      const plot = $("#parallel .plot");
      await draw(plot);
      if (!plot.dataset.clickable) {
        plot.dataset.clickable = "yes";
        plot.on("plotly_click", ({ points }) => showTrial(id, points[0].customdata));
      }
    },
    importance: () => showImportance($("#importance"), id),
  };
  const filled = new Set();
  const open = async (section) => {
    if (!section.open || filled.has(section.id)) return;
    filled.add(section.id);
    try {
      await fill[section.id]();
    } catch (error) {
      filled.delete(section.id);
      showError(section, error);
    }
  };
  const sections = $$("details[data-section]", article);
  for (const section of sections) section.addEventListener("toggle", () => open(section));
  const refresh = () => { filled.clear(); sections.forEach(open); };
  return refresh;
}
