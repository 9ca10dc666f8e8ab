// Where the weights are: a bar per memory of how much, and a map of layers and roles of what.

const COLOURS = {
  memory: { label: "Home", of: (row) => row.memory, text: (row) => row.memory.toUpperCase(), prefix: "home" },
  engine: { label: "Engine", of: (row) => row.engine, text: (row) => row.engine, prefix: "engine" },
  bits: { label: "Bits", of: (row) => row.bits, text: (row) => `${row.bits} bits`, prefix: "bits" },
};

/** What one row of the plan is, in a line. */
function rowText(row) {
  const where = row.layer === null ? "" : `layer ${row.layer} · `;
  const weight = row.memory ? `, ${row.bits} bits, ${bytesText(row.weight_bytes)} in ${row.memory.toUpperCase()}` : "";
  const paged = row.paged ? ", paged" : "";
  const tiles = row.tiles ? `, ${row.tiles} × ${row.tile_rows} rows` : "";
  const reason = row.reason ? ` (${row.reason})` : "";
  return `${where}${row.name} · ${row.engine}${reason}${weight}${paged}${tiles}`;
}

/** Sums of `amount` by `key`, the largest first. */
function sums(rows, key, amount) {
  const totals = new Map();
  for (const row of rows) totals.set(key(row), (totals.get(key(row)) ?? 0) + amount(row));
  return [...totals].sort((a, b) => b[1] - a[1]);
}

/** One bar for all weights, cut by memory. */
function drawWeightBar(place, rows) {
  const { root, width } = picture(place, 34, "Share of the weights in each memory");
  const parts = sums(rows, (row) => row.memory, (row) => row.weight_bytes);
  const total = parts.reduce((sum, [, size]) => sum + size, 0) || 1;
  let at = 0;
  for (const [memory, size] of parts) {
    const wide = (size / total) * width;
    const text = `${memory.toUpperCase()} ${bytesText(size)}, ${percentText(size, total)}`;
    const shape = { x: at, y: 2, width: Math.max(1, wide - 2), height: 28, rx: 3 };
    root.append(box({ class: `cell home-${memory}`, ...shape }, text));
    root.append(svg("text", { class: "inside", x: at + 8, y: 20 }, fittingText(text, wide - 4)));
    at += wide;
  }
}

/** The map: a row per role, a column per layer; weights of no layer stand in a column of their own. */
function drawWeightMap(place, readout, entries, layers, colour, matches) {
  const rows = entries.map((entry) => entry.record);
  const roles = [...new Set(rows.map((row) => row.name))];
  const left = 20 + 6.4 * Math.max(8, ...roles.map((role) => Math.min(24, role.length)));
  const tall = 22;
  const { root, width } = picture(place, 24 + tall * roles.length, "Weights by role and layer");
  const wide = (width - left) / (layers + 1.2);
  const x = (layer) => left + (layer === null ? layers + 0.2 : layer) * wide;
  roles.forEach((role, i) => {
    root.append(svg("text", { class: "axis end", x: left - 8, y: 15 + tall * i }, fittingText(role, 170)));
  });
  entries.forEach((entry, item) => {
    const row = entry.record;
    const top = tall * roles.indexOf(row.name);
    const dimmed = matches(entry) ? "" : " dimmed";
    const look = `cell ${colour.prefix}-${colour.of(row)}${dimmed}`;
    const shape = { x: x(row.layer) + 1, y: top + 1, width: Math.max(1, wide - 2), height: tall - 2, rx: 2 };
    root.append(box({ ...shape, class: look, "data-item": item }, rowText(row)));
    if (row.paged) root.append(svg("rect", { ...shape, class: "paged" }));
    const label = colour.text(row);
    if (7.6 * label.length + 8 > wide) return;
    root.append(svg("text", { class: `inside middle${dimmed}`, x: x(row.layer) + wide / 2, y: top + 15 }, label));
  });
  const every = Math.ceil(24 / wide);
  for (let layer = 0; layer < layers; layer += every) {
    const below = { class: "axis middle", x: x(layer) + wide / 2, y: 14 + tall * roles.length };
    root.append(svg("text", below, String(layer)));
  }
  explainHover(place, readout, (item) => rowText(rows[item]));
}

/** What the colours of the map mean, with bytes. */
function weightLegend(place, rows, colour) {
  const groups = new Map(rows.map((row) => [colour.of(row), colour.text(row)]));
  const parts = sums(rows, colour.of, (row) => row.weight_bytes);
  const entries = parts.map(([key, size]) => legendEntry(`${colour.prefix}-${key}`, groups.get(key), bytesText(size)));
  const paged = rows.filter((row) => row.paged);
  if (paged.length) {
    const size = paged.reduce((sum, row) => sum + row.weight_bytes, 0);
    entries.push(legendEntry("paged", "paged through the SRAM", bytesText(size)));
  }
  place.replaceChildren(...entries);
}
