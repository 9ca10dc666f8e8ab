// Cycles of a decode step or of the prefill: a column per layer, a bar per operation.

const BOUNDS = ["engine", "cluster", "dma", "off-chip"];
const BOUND_WORDS = {
  engine: "N-EUREKA",
  cluster: "cores",
  dma: "DMA",
  "off-chip": "off-chip link",
  unknown: "not known",
};

/** What has no weights is bound alike in both phases; for the others the plan says it. */
function prefillBound(row) {
  return row.prefill_bound ?? (row.memory ? "unknown" : row.bound);
}

const PHASES = {
  decode: { label: "Decode", cycles: (row) => row.decode_cycles, bound: (row) => row.bound },
  prefill: { label: "Prefill", cycles: (row) => row.prefill_cycles, bound: prefillBound },
};

/** Columns in order: one per layer, and one for each operation outside the layers. */
function cycleColumns(entries) {
  const columns = new Map();
  entries.forEach((entry, item) => {
    const { layer, name } = entry.record;
    const key = layer === null ? name : String(layer);
    if (!columns.has(key)) columns.set(key, { label: key, items: [] });
    columns.get(key).items.push(item);
  });
  return [...columns.values()];
}

function cycleText(row, phase) {
  const where = row.layer === null ? "" : `layer ${row.layer} · `;
  const bound = phase.bound(row);
  const why = bound === "unknown" ? "" : `, bound by ${BOUND_WORDS[bound]}`;
  return `${where}${row.name} · ${digits(phase.cycles(row))} cycles on ${row.engine}${why}`;
}

function drawCycleColumns(place, readout, entries, phase, matches) {
  const rows = entries.map((entry) => entry.record);
  const columns = cycleColumns(entries);
  const { root, width } = picture(place, 340, `Cycles by layer, ${phase.label}`, 420);
  const [left, base] = [62, 270];
  const totals = columns.map(({ items }) => items.reduce((sum, item) => sum + phase.cycles(rows[item]), 0));
  const top = Math.max(1, ...totals) * 1.05;
  const wide = (width - left) / Math.max(1, columns.length);
  const tall = (cycles) => (cycles / top) * (base - 12);
  let step = 10 ** Math.floor(Math.log10(top));
  if (top / step < 4) step /= 2;
  for (let tick = 0; tick <= top; tick += step) {
    const at = base - tall(tick);
    root.append(svg("line", { class: "grid", x1: left, x2: width, y1: at, y2: at }));
    root.append(svg("text", { class: "axis end", x: left - 6, y: at + 4 }, tick ? countText(tick) : "0"));
  }
  const gap = Math.min(4, wide * 0.12);
  columns.forEach((column, i) => {
    let at = base;
    for (const item of column.items) {
      const height = tall(phase.cycles(rows[item]));
      at -= height;
      const dimmed = matches(entries[item]) ? "" : " dimmed";
      const look = `cell bound-${phase.bound(rows[item])}${dimmed}`;
      const [x, width] = [left + i * wide + gap, Math.max(1, wide - 2 * gap)];
      const shape = { x, y: at, width, height: Math.max(0.5, height - 0.5) };
      root.append(box({ ...shape, class: look, "data-item": item }, cycleText(rows[item], phase)));
      const { name } = rows[item];
      if (height < 14 || fittingText(name, width) !== name) continue;
      root.append(svg("text", { class: `inside middle${dimmed}`, x: x + width / 2, y: at + height / 2 + 4 }, name));
    }
  });
  drawColumnLabels(root, columns, left, wide, base);
  explainHover(place, readout, (item) => cycleText(rows[item], phase));
}

/** Layers by number as there is room; names slanted. */
function drawColumnLabels(root, columns, left, wide, base) {
  const every = Math.ceil(20 / wide);
  columns.forEach((column, i) => {
    const [cx, cy] = [left + (i + 0.5) * wide, base + 15];
    const isNumber = /^\d+$/.test(column.label);
    if (isNumber && Number(column.label) % every) return;
    const turned = { class: "axis end", x: cx + 3, y: cy - 2, transform: `rotate(-40 ${cx + 3} ${cy - 2})` };
    const shown = fittingText(column.label, Math.min(88, 1.25 * cx));
    root.append(svg("text", isNumber ? { class: "axis middle", x: cx, y: cy } : turned, shown));
  });
}

/** Operations of all layers together, the dearest first, each bar cut by bound. */
function drawCycleBars(place, entries, phase, matches) {
  const kept = entries.filter(matches).map((entry) => entry.record);
  const total = entries.reduce((sum, entry) => sum + phase.cycles(entry.record), 0) || 1;
  const parts = sums(kept, (row) => row.name, phase.cycles).slice(0, 14);
  const height = Math.max(1, parts.length) * 22 + 8;
  const { root, width } = picture(place, height, `Cycles by operation, ${phase.label}`, 360);
  const left = 20 + 6.4 * Math.max(8, ...parts.map(([name]) => Math.min(22, name.length)));
  const longest = parts[0]?.[1] || 1;
  const wide = (cycles) => (cycles / longest) * (width - left - 116);
  parts.forEach(([name, cycles], i) => {
    const top = 4 + 22 * i;
    root.append(svg("text", { class: "axis end", x: left - 8, y: top + 14 }, fittingText(name, 160)));
    let at = left;
    for (const [bound, part] of sums(kept.filter((row) => row.name === name), phase.bound, phase.cycles)) {
      const shape = { x: at, y: top + 1, width: Math.max(0.5, wide(part)), height: 17, rx: 2 };
      const title = `${name}: ${digits(part)} cycles bound by ${BOUND_WORDS[bound]}`;
      root.append(box({ ...shape, class: `cell bound-${bound}` }, title));
      at += wide(part);
    }
    const figure = `${countText(cycles)} · ${percentText(cycles, total)}`;
    root.append(svg("text", { class: "axis", x: at + 6, y: top + 14 }, figure));
  });
}

/** Share of the cycles by what bounds them. */
function cycleLegend(place, rows, phase) {
  const parts = new Map(sums(rows, phase.bound, phase.cycles));
  const total = [...parts.values()].reduce((sum, part) => sum + part, 0);
  const shown = [...BOUNDS, "unknown"].filter((bound) => parts.has(bound));
  place.replaceChildren(
    html("span", { class: "entry" }, "bound by"),
    ...shown.map((bound) => legendEntry(`bound-${bound}`, BOUND_WORDS[bound], percentText(parts.get(bound), total))),
  );
}
