// What the tables show of a record. `key` is also what `key:value` in the search asks for.

/** A column of numbers; zero is shown as a dash. */
function numbers(key, title, hint, value, text = digits) {
  const show = (record) => (value(record) ? text(value(record)) : html("span", { class: "nothing" }, "–"));
  return { key, title, hint, number: true, value, show };
}

/** A column of texts. */
function texts(key, title, hint, value = (record) => record[key]) {
  return { key, title, hint, value, show: value };
}

/** The name of a memory in its colour. */
function memoryTag(memory) {
  return memory ? html("span", { class: `tag home-${memory}` }, memory.toUpperCase()) : null;
}

/** A number with a bar behind it that is as long as its share of the largest. */
function barred(column, largest) {
  const show = (record) => {
    const bar = html("span", { class: "barred" }, digits(column.value(record)));
    bar.style.setProperty("--share", largest ? column.value(record) / largest : 0);
    return bar;
  };
  return { ...column, show };
}

function layerColumns(rows) {
  const largest = (key) => Math.max(0, ...rows.map((row) => row[key]));
  const cycles = (key, title, hint) => barred(numbers(key, title, hint, (row) => row[key]), largest(key));
  return [
    { ...numbers("layer", "Layer", "empty outside the layers", (row) => row.layer), show: (row) => (row.layer === null ? null : String(row.layer)) },
    texts("name", "Operation", "role of the weight, or of the operation"),
    texts("op", "Kind", "kind of operation"),
    texts("engine", "Engine", "what computes it"),
    { ...numbers("bits", "Weights", "bits of a weight, and columns that share a scale", (row) => row.bits), show: weightForm },
    { ...numbers("rows", "Shape", "outputs × depth of the dot products", (row) => row.rows), show: shapeText },
    numbers("weight_bytes", "Stored", "weights as stored, with scales", (row) => row.weight_bytes, bytesText),
    { ...texts("memory", "Home", "memory of the weights"), show: homeTag },
    { ...numbers("tiles", "Tiles", "tiles of one pass × rows of a tile, slots of the ring", (row) => row.tiles), show: tileText },
    cycles("decode_cycles", "Decode", "cycles of one token"),
    cycles("prefill_cycles", "Prefill", "cycles of the whole prompt"),
    texts("bound", "Bound", "what takes the most cycles of a decode step"),
    numbers("macs", "MACs", "multiply-accumulates per token", (row) => row.macs),
    numbers("weight_port_bytes", "Port", "through the engine's port to the weight memory", (row) => row.weight_port_bytes, bytesText),
    numbers("dma_bytes", "DMA", "between L1 and the other on-chip memories", (row) => row.dma_bytes, bytesText),
    numbers("off_chip_bytes", "Off-chip", "over the link to L3", (row) => row.off_chip_bytes, bytesText),
    numbers("l1_bytes", "L1 alive", "bytes of L1 alive with it", (row) => row.l1_bytes, bytesText),
    { ...texts("buffers", "Buffers", "where inputs, outputs and scratch lie"), wide: true },
    { ...texts("reason", "Why", "why this engine"), wide: true },
  ];
}

function weightForm(row) {
  if (!row.bits) return null;
  return `w${row.bits}${row.group ? ` g${row.group}` : ""}`;
}

function shapeText(row) {
  if (!row.rows) return null;
  return row.depth ? `${row.rows} × ${row.depth}` : String(row.rows);
}

function tileText(row) {
  return row.tiles ? `${row.tiles} × ${row.tile_rows}, ${row.slots} slots` : null;
}

function homeTag(row) {
  const tag = memoryTag(row.memory);
  return tag && row.paged ? html("span", {}, tag, " ", html("span", { class: "tag paged-tag" }, "paged")) : tag;
}

function regionColumns(steps) {
  return [
    { ...texts("memory", "Memory", "the memory it lies in"), show: (region) => memoryTag(region.memory) },
    { ...numbers("offset", "Offset", "from the start of the memory", (region) => region.offset_bytes), show: (region) => hexText(region.offset_bytes) },
    numbers("size", "Size", "bytes without padding", (region) => region.size_bytes, bytesText),
    texts("name", "Name", "tensor or purpose"),
    { ...texts("kind", "Kind", "what lies there"), show: (region) => html("span", {}, html("i", { class: `dot ${kindClass(region.kind)}` }), region.kind) },
    { ...numbers("life", "Alive", "steps from first to last", (region) => region.first_step), number: false, show: (region) => lifeText(region, steps) },
  ];
}

function tierColumns(drawBar) {
  return [
    { ...texts("memory", "Memory", "the fastest first"), show: (tier) => html("b", {}, tier.memory.toUpperCase()) },
    { ...numbers("bar", "Use", "used bytes by kind, of the capacity", (tier) => tier.used_bytes / (tier.capacity_bytes || 1)), number: false, show: drawBar },
    numbers("used", "Used", "end of the last region", (tier) => tier.used_bytes, bytesText),
    { ...numbers("share", "Full", "used of the capacity", (tier) => tier.used_bytes / (tier.capacity_bytes || 1)), show: (tier) => percentText(tier.used_bytes, tier.capacity_bytes) },
    numbers("capacity", "Capacity", "size less what is reserved", (tier) => tier.capacity_bytes, bytesText),
    numbers("peak", "Peak", "most bytes alive in one step", (tier) => tier.peak_bytes, bytesText),
    texts("peak_at", "Peak in", "the first step with the peak"),
    { ...numbers("reserved", "Reserved", "not for the plan", (tier) => tier.reserved_bytes), number: false, show: reservedText },
  ];
}

function reservedText(tier) {
  if (!tier.reserved_bytes) return null;
  return `${bytesText(tier.reserved_bytes)}${tier.reserved_for ? `: ${tier.reserved_for}` : ""}`;
}
