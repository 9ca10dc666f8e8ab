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

/** The used bytes of a memory by kind, as a bar as wide as its capacity. */
function tierBar(tier) {
  const root = svg("svg", { class: "tier-bar", viewBox: "0 0 300 14", preserveAspectRatio: "none", role: "img" });
  root.append(svg("rect", { class: "track", width: 300, height: 14 }));
  let at = 0;
  for (const [kind, size] of Object.entries(tier.bytes_by_kind)) {
    const wide = (300 * size) / Math.max(1, tier.capacity_bytes, tier.used_bytes);
    root.append(box({ class: kindClass(kind), x: at, width: wide, height: 14 }, `${kind}: ${bytesText(size)}`));
    at += wide;
  }
  return root;
}

function kindLegend() {
  const parts = sums(plan.regions, (region) => region.kind, (region) => region.size_bytes);
  byId("kinds").replaceChildren(
    ...parts.map(([kind, size]) => legendEntry(kindClass(kind), kind, bytesText(size))),
  );
}

const tables = {
  tiers: new SortedTable(byId("tiers-table"), tierColumns(tierBar), plan.tiers.map((tier) => searchable(tier, {})), (sort) => choose({ tiers: sort })),
  layers: new SortedTable(byId("layers-table"), layerColumns(plan.layers), layerEntries, (sort) => choose({ layers: sort })),
  regions: new SortedTable(byId("regions-table"), regionColumns(plan.steps), regionEntries, (sort) => choose({ regions: sort })),
};

/** The memory that is shown: the chosen one, else the first that holds anything. */
function chosenTier() {
  const holds = (tier) => plan.regions.some((region) => region.memory === tier.memory);
  return plan.tiers.find((tier) => tier.memory === state.memory) ?? plan.tiers.find(holds) ?? plan.tiers[0];
}

function drawMemorySection(matches) {
  const tier = chosenTier();
  byId("memory").hidden = tier === undefined;
  if (tier === undefined) return;
  const names = plan.tiers.map(({ memory, capacity_bytes }) => [memory, memory.toUpperCase(), bytesText(capacity_bytes)]);
  choice(byId("memory-choice"), "Memory", names, tier.memory, (memory) => choose({ memory }));
  const scales = [
    ["whole", "Whole", "the whole memory, with what is reserved"],
    ["used", "Used", "up to the last region"],
    ["even", "Even", "small regions enlarged, large ones compressed"],
  ];
  choice(byId("scale-choice"), "Scale", scales, state.scale, (scale) => choose({ scale }));
  const entries = regionEntries.filter((entry) => entry.record.memory === tier.memory);
  drawMemory(byId("memory-chart"), byId("memory-readout"), tier, entries, plan.steps, state.scale, matches);
}

function drawWeightSection(matches) {
  byId("weights").hidden = weightEntries.length === 0;
  if (weightEntries.length === 0) return;
  const rows = weightEntries.map((entry) => entry.record);
  const colour = COLOURS[state.colour] ?? COLOURS.memory;
  const options = Object.entries(COLOURS).map(([key, { label }]) => [key, label]);
  choice(byId("colour-choice"), "Colour", options, state.colour, (key) => choose({ colour: key }));
  drawWeightBar(byId("weight-bar"), rows);
  byId("weight-readout").textContent = "Hover over a weight to see why it is there.";
  drawWeightMap(byId("weight-map"), byId("weight-readout"), weightEntries, plan.model.layers, colour, matches);
  weightLegend(byId("weight-legend"), rows, colour);
}

function drawCycleSection(matches) {
  byId("cycles").hidden = layerEntries.length === 0;
  if (layerEntries.length === 0) return;
  const phase = PHASES[state.phase] ?? PHASES.decode;
  const options = Object.entries(PHASES).map(([key, { label }]) => [key, label]);
  choice(byId("phase-choice"), "Phase", options, state.phase, (key) => choose({ phase: key }));
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
let drawnWidth = document.body.clientWidth;
addEventListener("resize", () => {
  if (document.body.clientWidth === drawnWidth) return;
  drawnWidth = document.body.clientWidth;
  drawCharts();
});

kindLegend();
drawAll();
document.documentElement.dataset.ready = "true";
