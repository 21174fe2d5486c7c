"use strict";
// Probes: a curve, a confusion matrix and a map that follow the selected task, span and probe.
const columnsToRows = (columns) => {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, i) => Object.fromEntries(names.map((n) => [n, columns[n][i]])));
};
const unique = (values) => [...new Set(values)];

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

async function probes(section) {
  const name = section.id;
  const data = read(name);
  const points = columnsToRows(data.points);
  const find = (what) => section.querySelector(what);
  const field = (n) => find(`select[name="${n}"]`);
  const at = (chart) => find(`[data-chart="${chart}"]`);
  const curve = (await show(at("curve"), data.curve, `${name}-curve`, points)).view;

  async function select(chosen) {
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
    await show(at("matrix"), data.matrix, `${name}-confusion-${task}`, cells);
  }
  const current = () => ({ task: field("task").value, span: field("span").value, probe: field("probe").value });
  const bestOf = (task) => ({ task, ...data.best[task] });

  async function map() {
    const probe = field("map").value;
    const { view } = await show(at("selectivity"), data.selectivity[probe], `${name}-selectivity`, points);
    view.addEventListener("click", (_, item) => {
      if (item?.datum?.task) select(item.datum);
    });
  }

  for (const n of ["task", "span", "probe"]) field(n).addEventListener("change", () => select(current()));
  field("map").addEventListener("change", map);
  find('[data-do="best"]').addEventListener("click", () => select(bestOf(field("task").value)));
  find('[data-do="csv"]').addEventListener("click", () => save(`${name}.csv`, csv(points)));
  for (const form of section.querySelectorAll("form")) form.addEventListener("submit", (e) => e.preventDefault());
  await select(bestOf(field("task").value));
  await map();
  if (at("components")) await show(at("components"), data.components, `${name}-components`);
}

drawers.probes = probes;
