"use strict";
// Responses: charts of accuracy, and one of the distribution that follows the selected view.
async function responses(block) {
  const data = read(block.id);
  const find = (what) => block.querySelector(what);
  for (const [metric, spec] of Object.entries(data.accuracy)) {
    await show(find(`[data-chart="${metric}"]`), spec, `${block.id}-${metric}`, data.points);
  }
  const select = find('select[name="view"]');
  if (!select) return;
  const { view } = await show(find('[data-chart="responses"]'), data.responses, `${block.id}-responses`, data.bars);
  const choose = async () => {
    const { task, kind, sentence, height } = data.views[Number(select.value)];
    find(".status").textContent = sentence;
    await view.signal("task", task).signal("kind", kind).height(height).runAsync();
  };
  select.addEventListener("change", choose);
  select.form.addEventListener("submit", (e) => e.preventDefault());
  await choose();
}

drawers.responses = responses;
