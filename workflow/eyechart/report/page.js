"use strict";
// Charts of the page. All data stand in the page's own JSON blocks; nothing is fetched.
const options = {
  renderer: "svg",
  ast: true, // expressions are interpreted, so the page needs no right to evaluate text as code
  actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
};
const drawers = {}; // by the data-draw of a block, how its charts are drawn; else as they stand
const starts = []; // what sections do first
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

// A closed block has no width, so its charts wait until it is opened.
async function unfold(block) {
  if (block.open === false || block.dataset.drawn) return;
  block.dataset.drawn = "true";
  await (drawers[block.dataset.draw] ?? plain)(block);
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

async function start() {
  for (const first of starts) await first();
  for (const block of document.querySelectorAll(".block")) {
    block.addEventListener("toggle", () => unfold(block));
    await unfold(block);
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
  document.documentElement.dataset.ready = "true";
}
