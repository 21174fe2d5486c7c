"use strict";
// Charts of the page. All data stand in the page's own JSON blocks; nothing is fetched.
const options = {
  renderer: "svg",
  ast: true, // expressions are interpreted, so the page needs no right to evaluate text as code
  actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
};
const read = (name) => JSON.parse(document.querySelector(`script[data-for="${name}"]`).textContent);
const columnsToRows = (columns) => {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, i) => Object.fromEntries(names.map((n) => [n, columns[n][i]])));
};
const unique = (values) => [...new Set(values)];

function show(element, spec, name, points) {
  const datasets = points ? { ...spec.datasets, points } : spec.datasets;
  return vegaEmbed(element, { ...spec, datasets }, { ...options, downloadFileName: name });
}

function csv(rows) {
  const names = Object.keys(rows[0]);
  const cell = (v) => (/[",\n]/.test(v) ? `"${String(v).replaceAll('"', '""')}"` : String(v ?? ""));
  return [names, ...rows.map((r) => names.map((n) => r[n]))].map((r) => r.map(cell).join(",")).join("\n");
}

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
}

async function exam(section) {
  const name = section.dataset.exam;
  const data = read(name);
  const points = columnsToRows(data.points);
  const find = (what) => section.querySelector(what);
  const field = (n) => find(`select[name="${n}"]`);
  const place = (chart) => find(`[data-chart="${chart}"]`);
  const curve = (await show(place("curve"), data.curve, `${name}-curve`, points)).view;

  async function choose(chosen) {
    const { task } = chosen;
    const rows = points.filter((r) => r.task === task);
    const spans = unique(rows.map((r) => r.span));
    const best = data.best[task];
    const span = spans.includes(chosen.span) ? chosen.span : best.span;
    field("task").value = task;
    field("span").replaceChildren(...spans.map((s) => new Option(s, s, s === span, s === span)));
    field("probe").value = chosen.probe;
    const signals = { task, span, probe: chosen.probe, scope: rows[0].scope };
    for (const [signal, value] of Object.entries(signals)) curve.signal(signal, value);
    await curve.runAsync();
    find(".status").textContent = best.sentence;
    find('[data-title="matrix"]').textContent = `Predictions at ${best.name}`;
    const cells = data.confusion[task].map(([truth, prediction, count, share]) => ({ truth, prediction, count, share }));
    await show(place("matrix"), data.matrix, `${name}-confusion-${task}`, cells);
  }
  const current = () => ({ task: field("task").value, span: field("span").value, probe: field("probe").value });
  const bestOf = (task) => ({ task, ...data.best[task] });

  async function map() {
    const probe = field("map").value;
    const { view } = await show(place("selectivity"), data.selectivity[probe], `${name}-selectivity`, points);
    view.addEventListener("click", (_, item) => {
      if (item?.datum?.task) choose(item.datum);
    });
  }

  for (const n of ["task", "span", "probe"]) field(n).addEventListener("change", () => choose(current()));
  field("map").addEventListener("change", map);
  find('[data-do="best"]').addEventListener("click", () => choose(bestOf(field("task").value)));
  find('[data-do="csv"]').addEventListener("click", () => save(`${name}.csv`, csv(points)));
  for (const form of section.querySelectorAll("form")) form.addEventListener("submit", (e) => e.preventDefault());
  await choose(bestOf(field("task").value));
  await map();
  if (place("rooms")) await show(place("rooms"), data.rooms, `${name}-rooms`);
}

async function says(block) {
  const data = read(block.id);
  const find = (what) => block.querySelector(what);
  for (const [metric, spec] of Object.entries(data.accuracy)) {
    await show(find(`[data-chart="${metric}"]`), spec, `${block.id}-${metric}`, data.points);
  }
  const select = find('select[name="view"]');
  if (!select) return;
  const { view } = await show(find('[data-chart="answers"]'), data.answers, `${block.id}-answers`, data.bars);
  const choose = async () => {
    const { task, kind, sentence, height } = data.views[Number(select.value)];
    find(".status").textContent = sentence;
    await view.signal("task", task).signal("kind", kind).height(height).runAsync();
  };
  select.addEventListener("change", choose);
  select.form.addEventListener("submit", (e) => e.preventDefault());
  await choose();
}

async function draws(block) {
  for (const [name, spec] of Object.entries(read(block.id))) {
    await show(block.querySelector(`[data-chart="${name}"]`), spec, `${block.id}-${name}`);
  }
}

// A closed block has no width, so its charts wait until it is opened.
async function unfold(block) {
  if (!block.open || block.dataset.drawn) return;
  block.dataset.drawn = "true";
  await (block.classList.contains("plain") ? draws(block) : says(block));
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

async function main() {
  for (const section of document.querySelectorAll(".exam")) await exam(section);
  const overview = document.querySelector('[data-chart="overview"]');
  if (overview && read("overview")) await show(overview, read("overview"), "sighted-and-blind");
  for (const block of document.querySelectorAll("details.block")) {
    block.addEventListener("toggle", () => unfold(block));
    await unfold(block);
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
  const training = document.querySelector('[data-chart="training"]');
  if (training) await show(training, read("training"), "training");
  document.documentElement.dataset.ready = "true";
}

main().catch((error) => console.error(error));
