// The page: reads the plan, draws everything, and follows the reader's choices.

const plan = JSON.parse(document.getElementById("report-data").textContent);
const byId = (id) => document.getElementById(id);
let state = readState();

/** The fields of a record that can be searched. */
function fieldsOf(record, ...keys) {
  return Object.fromEntries(keys.map((key) => [key, record[key]]));
}

const layerEntries = plan.layers.map((row) =>
  searchable(row, {
    ...fieldsOf(row, "name", "op", "engine", "bits", "memory", "bound", "reason", "buffers"),
    layer: row.layer === null ? "" : row.layer,
    place: row.layer === null ? "" : `layer ${row.layer}`,
    paged: row.paged ? "paged" : "",
  }),
);
const regionEntries = plan.regions.map((region) =>
  searchable(region, { ...fieldsOf(region, "name", "kind", "memory"), life: lifeText(region, plan.steps) }),
);
const weightEntries = layerEntries.filter((entry) => entry.record.memory);

/**
 * The used bytes of a memory by kind, as a bar as wide as its capacity. Regions that share bytes share
 * the bar: together the kinds are as long as what is used.
 */
function tierBar(tier) {
  const root = svg("svg", { class: "tier-bar", viewBox: "0 0 300 14", preserveAspectRatio: "none", role: "img" });
  root.append(svg("rect", { class: "track", width: 300, height: 14 }));
  const kinds = Object.entries(tier.bytes_by_kind);
  const total = kinds.reduce((sum, [, size]) => sum + size, 0);
  const used = (300 * tier.used_bytes) / Math.max(1, tier.capacity_bytes, tier.used_bytes);
  let at = 0;
  for (const [kind, size] of kinds) {
    const wide = (used * size) / Math.max(1, total);
    root.append(box({ class: kindClass(kind), x: at, width: wide, height: 14 }, `${kind}: ${bytesText(size)}`));
    at += wide;
  }
  return root;
}

/** What the colours of regions mean; with a sum for kinds that share no bytes over time. */
function kindLegend() {
  const parts = sums(plan.regions, (region) => region.kind, (region) => region.size_bytes);
  const isBrief = (region) => region.last_step - region.first_step + 1 < plan.steps.length;
  const shared = new Set(plan.regions.filter(isBrief).map((region) => region.kind));
  byId("kinds").replaceChildren(
    ...parts.map(([kind, size]) => legendEntry(kindClass(kind), kind, shared.has(kind) ? "" : bytesText(size))),
  );
}

/** Memories with the label "every step" where as much is alive in each. */
const tierEntries = plan.tiers.map((tier) => {
  const here = plan.regions.filter((region) => region.memory === tier.memory);
  const alive = aliveBytes(here, plan.steps.length);
  const isEven = here.length > 0 && Math.max(...alive) === Math.min(...alive);
  return searchable(isEven ? { ...tier, peak_at: "every step" } : tier, {});
});

/** A table in its place; clicks on its heads are kept under the table's name. */
function sortedTable(name, columns, entries) {
  return new SortedTable(byId(`${name}-table`), columns, entries, (sort) => choose({ [name]: sort }));
}

const tables = {
  tiers: sortedTable("tiers", tierColumns(tierBar), tierEntries),
  layers: sortedTable("layers", layerColumns(plan.layers), layerEntries),
  regions: sortedTable("regions", regionColumns(plan.steps), regionEntries),
};

/** The memory that is shown: the chosen one, else the first that holds anything. */
function chosenTier() {
  const holds = (tier) => plan.regions.some((region) => region.memory === tier.memory);
  const chosen = plan.tiers.find((tier) => tier.memory === state.memory);
  return chosen ?? plan.tiers.find(holds) ?? plan.tiers[0];
}

function drawMemorySection(matches) {
  const tier = chosenTier();
  byId("memory").hidden = plan.regions.length === 0 || tier === undefined;
  if (byId("memory").hidden) return;
  const names = plan.tiers.map(({ memory, capacity_bytes: capacity }) => [
    memory,
    memory.toUpperCase(),
    bytesText(capacity),
  ]);
  choice(byId("memory-choice"), "Memory", names, tier.memory, (memory) => choose({ memory }));
  const scale = optionOf(SCALES, state.scale);
  const scales = Object.entries(SCALES).map(([key, hint]) => [key, key, hint]);
  choice(byId("scale-choice"), "Scale", scales, scale, (key) => choose({ scale: key }));
  const entries = regionEntries.filter((entry) => entry.record.memory === tier.memory);
  drawMemory(byId("memory-chart"), byId("memory-readout"), tier, entries, plan.steps, scale, matches);
}

function drawWeightSection(matches) {
  byId("weights").hidden = weightEntries.length === 0;
  if (weightEntries.length === 0) return;
  const rows = weightEntries.map((entry) => entry.record);
  const chosen = optionOf(COLOURS, state.colour);
  const colour = COLOURS[chosen];
  const options = Object.entries(COLOURS).map(([key, { label }]) => [key, label]);
  choice(byId("colour-choice"), "Colour", options, chosen, (key) => choose({ colour: key }));
  drawWeightBar(byId("weight-bar"), rows);
  byId("weight-readout").textContent = "Hover over a weight to see why it is there.";
  drawWeightMap(byId("weight-map"), byId("weight-readout"), weightEntries, plan.model.layers, colour, matches);
  weightLegend(byId("weight-legend"), rows, colour);
}

function drawCycleSection(matches) {
  byId("cycles").hidden = layerEntries.length === 0;
  if (layerEntries.length === 0) return;
  const chosen = optionOf(PHASES, state.phase);
  const phase = PHASES[chosen];
  const options = Object.entries(PHASES).map(([key, { label }]) => [key, label]);
  choice(byId("phase-choice"), "Phase", options, chosen, (key) => choose({ phase: key }));
  const total = plan.layers.reduce((sum, row) => sum + phase.cycles(row), 0);
  byId("cycle-readout").textContent = `${digits(total)} cycles in all operations`;
  drawCycleColumns(byId("cycle-columns"), byId("cycle-readout"), layerEntries, phase, matches);
  drawCycleBars(byId("cycle-bars"), layerEntries, phase, matches);
  cycleLegend(byId("cycle-legend"), plan.layers, phase);
}

function drawCharts() {
  const matches = matcher(state.q);
  drawMemorySection(matches);
  drawWeightSection(matches);
  drawCycleSection(matches);
}

function showCounts(matches) {
  const layers = tables.layers.filter(matches);
  const regions = tables.regions.filter(matches);
  const of = (shown, all) => (shown === all ? `${digits(all)} rows` : `${digits(shown)} of ${digits(all)} rows`);
  byId("layers-count").textContent = of(layers, plan.layers.length);
  byId("regions-count").textContent = of(regions, plan.regions.length);
  byId("matches").textContent = state.q ? `${layers} operations, ${regions} regions` : "";
}

function drawAll() {
  for (const [name, table] of Object.entries(tables)) table.sort(state[name]);
  if (byId("search").value !== state.q) byId("search").value = state.q;
  showCounts(matcher(state.q));
  drawCharts();
}

function choose(change) {
  state = { ...state, ...change };
  writeState(state);
  drawAll();
}

let typing = 0;
byId("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  const q = event.target.value;
  typing = setTimeout(() => choose({ q }), 120);
});
addEventListener("hashchange", () => {
  state = readState();
  drawAll();
});
let drawnWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === drawnWidth) return;
  drawnWidth = innerWidth;
  drawCharts();
});

byId("layers").hidden = plan.layers.length === 0;
byId("regions").hidden = plan.regions.length === 0;
document.querySelector(".finder").hidden = plan.layers.length + plan.regions.length === 0;
kindLegend();
drawAll();
document.documentElement.dataset.ready = "true";
