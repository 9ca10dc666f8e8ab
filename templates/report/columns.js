// What the tables show of a record. `key` is also what `key:value` in the search asks for.

/** A column of numbers; zero is shown as a dash. `more` overrides any of it. */
function numbers(key, title, hint, value, more = {}) {
  const { text = digits, ...rest } = more;
  const show = (record) => (value(record) ? text(value(record)) : html("span", { class: "nothing" }, "–"));
  return { key, title, hint, number: true, value, show, ...rest };
}

/** A column of sizes. */
function sizes(key, title, hint, value) {
  return numbers(key, title, hint, value, { text: bytesText });
}

/** A column of texts. */
function texts(key, title, hint, more = {}) {
  const value = (record) => record[key];
  return { key, title, hint, value, show: value, ...more };
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
  const cycles = (key, title, hint) => {
    const largest = Math.max(0, ...rows.map((row) => row[key]));
    return barred(numbers(key, title, hint, (row) => row[key]), largest);
  };
  return [
    numbers("layer", "Layer", "empty outside the layers", (row) => row.layer, { show: layerText }),
    texts("name", "Operation", "role of the weight, or of the operation"),
    texts("op", "Kind", "kind of operation"),
    texts("engine", "Engine", "what computes it"),
    numbers("bits", "Weights", "bits, and columns that share a scale", (row) => row.bits, { show: weightForm }),
    numbers("rows", "Shape", "outputs × depth of the dot products", (row) => row.rows, { show: shapeText }),
    sizes("weight_bytes", "Stored", "weights as stored, with scales", (row) => row.weight_bytes),
    texts("memory", "Home", "memory of the weights", { show: homeTag }),
    numbers("tiles", "Tiles", "tiles × rows of one, slots of the ring", (row) => row.tiles, { show: tileText }),
    cycles("decode_cycles", "Decode", "cycles of one token"),
    cycles("prefill_cycles", "Prefill", "cycles of the whole prompt"),
    texts("bound", "Bound", "what takes the most cycles of a decode step"),
    numbers("macs", "MACs", "multiply-accumulates per token", (row) => row.macs),
    sizes("weight_port_bytes", "Port", "from the weight memory to N-EUREKA", (row) => row.weight_port_bytes),
    sizes("dma_bytes", "DMA", "between L1 and the other on-chip memories", (row) => row.dma_bytes),
    sizes("off_chip_bytes", "Off-chip", "over the link to L3", (row) => row.off_chip_bytes),
    sizes("l1_bytes", "L1 alive", "bytes of L1 alive with it", (row) => row.l1_bytes),
    texts("buffers", "Buffers", "where inputs, outputs and scratch lie"),
    texts("reason", "Why", "why this engine"),
  ];
}

function layerText(row) {
  return row.layer === null ? null : String(row.layer);
}

function weightForm(row) {
  if (!row.bits) return null;
  const form = `w${row.bits}${row.group ? ` g${row.group}` : ""}`;
  return row.sparsity ? `${form} ${row.sparsity}` : form;
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
  const offset = (region) => region.offset_bytes;
  const alive = (region) => lifeText(region, steps);
  return [
    texts("memory", "Memory", "the memory it lies in", { show: (region) => memoryTag(region.memory) }),
    numbers("offset", "Offset", "from the start of the memory", offset, { show: (region) => hexText(offset(region)) }),
    sizes("size", "Size", "bytes without padding", (region) => region.size_bytes),
    texts("name", "Name", "tensor or purpose"),
    texts("kind", "Kind", "what lies there", { show: kindTag }),
    texts("life", "Alive", "first and last step", { value: (region) => region.first_step, show: alive }),
  ];
}

function kindTag(region) {
  return html("span", {}, html("i", { class: `dot ${kindClass(region.kind)}` }), region.kind);
}

function tierColumns(drawBar) {
  const share = (tier) => tier.used_bytes / (tier.capacity_bytes || 1);
  const reserve = (tier) => tier.reserved_bytes;
  const full = (tier) => percentText(tier.used_bytes, tier.capacity_bytes);
  return [
    texts("memory", "Memory", "the fastest first", { show: (tier) => html("b", {}, tier.memory.toUpperCase()) }),
    texts("bar", "Use", "used bytes by kind, of the capacity", { value: share, show: drawBar }),
    sizes("used", "Used", "end of the last region", (tier) => tier.used_bytes),
    numbers("share", "Full", "used of the capacity", share, { show: full }),
    sizes("capacity", "Capacity", "size less what is reserved", (tier) => tier.capacity_bytes),
    sizes("peak", "Peak", "most bytes alive in one step", (tier) => tier.peak_bytes),
    texts("peak_at", "Peak in", "the first step with the peak", { wide: true }),
    texts("reserved", "Reserved", "not for the plan", { wide: true, value: reserve, show: reservedText }),
  ];
}

function reservedText(tier) {
  if (!tier.reserved_bytes) return null;
  return `${bytesText(tier.reserved_bytes)}${tier.reserved_for ? `: ${tier.reserved_for}` : ""}`;
}
