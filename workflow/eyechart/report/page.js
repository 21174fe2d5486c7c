"use strict";
// Charts and folds of the page. All data stand in the page's own JSON blocks; nothing is fetched.
const options = {
  renderer: "svg",
  ast: true, // expressions are interpreted, so the page needs no right to evaluate text as code
  actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
};
const drawers = {}; // by the data-draw of a block, how its charts are drawn; else as they stand
const all = (what) => [...document.querySelectorAll(what)];
const read = (name) => JSON.parse(document.querySelector(`script[data-for="${name}"]`).textContent);

function show(element, spec, name, points) {
  const datasets = points ? { ...spec.datasets, points } : spec.datasets;
  return vegaEmbed(element, { ...spec, datasets }, { ...options, downloadFileName: name });
}

async function plain(block) {
  for (const [name, spec] of Object.entries(read(block.id))) {
    await show(block.querySelector(`[data-chart="${name}"]`), spec, `${block.id}-${name}`);
  }
}

// What is folded has no width, so its charts are drawn once they have one.
const seen = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    if (contentRect.width) setTimeout(draw, 0, target.closest(".block"));
  }
});

async function draw(block) {
  if (block.dataset.drawn) return;
  block.dataset.drawn = "true";
  await (drawers[block.dataset.draw] ?? plain)(block);
  dispatchEvent(new Event("resize")); // what was drawn first takes the width that the rest left
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) if (at.matches("details")) at.open = true;
  target?.scrollIntoView();
}

function openAll() {
  const closed = all("details:not([open], .vega-embed *)"); // but for the charts' menus
  for (const one of closed) one.open = true;
  return closed;
}

function start() {
  const blocks = [...new Set(all("[data-chart]").map((chart) => chart.closest(".block")))];
  for (const block of blocks) seen.observe(block.querySelector("[data-chart]"));
  let printed = [];
  addEventListener("beforeprint", () => {
    printed = openAll();
    for (const block of blocks) draw(block);
  });
  addEventListener("afterprint", () => printed.forEach((one) => (one.open = false)));
  addEventListener("hashchange", openTarget);
  document.querySelector('[data-do="all"]').addEventListener("click", openAll);
  for (const link of all('a[href^="#"]')) {
    link.addEventListener("click", () => link.hash === location.hash && openTarget());
  }
  openTarget();
  document.documentElement.dataset.ready = "true";
}
