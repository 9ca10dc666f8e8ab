// The picture of one memory: regions as boxes over steps (to the right) and bytes (upwards).

const CHART = { height: 470, left: 74, right: 14, top: 16, bottom: 28 };
const KINDS = ["weight", "cache", "buffer", "ring", "scratch", "table", "tokenizer", "workspace", "image header"];

/** The class that colours a kind of region. */
function kindClass(kind) {
  return KINDS.includes(kind) ? `kind-${kind.replace(" ", "-")}` : "kind-other";
}

/** Steps that belong together: the text before a colon, or the step itself. */
function stepGroups(steps) {
  const groups = [];
  steps.forEach((label, step) => {
    const [head, tail] = label.split(/:\s*/, 2);
    const last = groups.at(-1);
    if (tail !== undefined && last?.head === head) last.end = step + 1;
    else groups.push({ head, start: step, end: step + 1, grouped: tail !== undefined });
  });
  return groups;
}

/** When a region is alive, in words. */
function lifeText(region, steps) {
  if (region.first_step === 0 && region.last_step >= steps.length - 1) return "always";
  const from = steps[region.first_step];
  return region.first_step === region.last_step ? from : `${from} … ${steps[region.last_step]}`;
}

function regionText(region, steps) {
  const end = region.offset_bytes + region.size_bytes;
  return (
    `${region.name} · ${region.kind} · ${bytesText(region.size_bytes)} at ` +
    `${hexText(region.offset_bytes)} to ${hexText(end)} · alive: ${lifeText(region, steps)}`
  );
}

/** Steps wide enough for a slanted label each; narrower ones are labelled by group. */
const LABELLED_STEP = 15;
const STEP_LABEL = 150;

function drawSteps(root, steps, x, base) {
  const groups = stepGroups(steps);
  for (const { start, grouped } of groups) {
    const across = { x1: x(start), x2: x(start), y1: CHART.top, y2: base };
    if (grouped) root.append(svg("line", { class: "divide", ...across }));
  }
  if (x(1) - x(0) < LABELLED_STEP) drawGroupLabels(root, groups, x, base);
  else drawStepLabels(root, steps, x, base);
}

function drawStepLabels(root, steps, x, base) {
  steps.forEach((label, step) => {
    const [cx, cy] = [x(step + 0.5) + 3, base + 12];
    const turned = { class: "axis end", x: cx, y: cy, transform: `rotate(-40 ${cx} ${cy})` };
    const shown = fittingText(label, Math.min(STEP_LABEL, 1.2 * cx));
    root.append(svg("text", turned, shown, svg("title", {}, label)));
  });
}

function drawGroupLabels(root, groups, x, base) {
  let free = -Infinity;
  for (const { head, start, end } of groups) {
    const wide = 6.2 * head.length;
    const from = Math.min(x(start) + 2, x(groups.at(-1).end) - wide);
    if (from < free) continue;
    root.append(svg("text", { class: "axis", x: from, y: base + 16 }, head));
    free = Math.max(x(end), from + wide + 12);
  }
}

function drawTicks(root, scale, y, width) {
  for (const tick of scale.ticks) {
    const at = y(tick);
    root.append(svg("line", { class: "grid", x1: CHART.left, x2: width - CHART.right, y1: at, y2: at }));
    root.append(svg("text", { class: "axis end", x: CHART.left - 8, y: at + 4 }, tickText(tick)));
  }
}

/** Room that the plan may not use, and the line where it begins. */
function drawCapacity(root, tier, scale, y, width) {
  if (tier.capacity_bytes > scale.top) return;
  const [at, across] = [y(tier.capacity_bytes), width - CHART.left - CHART.right];
  if (tier.reserved_bytes && scale.top >= tier.size_bytes) {
    const height = at - y(tier.size_bytes);
    const what = tier.reserved_for || "not for the plan";
    const title = `reserved: ${bytesText(tier.reserved_bytes)}, ${what}`;
    root.append(box({ class: "reserved", x: CHART.left, y: at - height, width: across, height }, title));
    const middle = { x: CHART.left + 8, y: at - height / 2 + 4 };
    if (height > 14) root.append(svg("text", { class: "quiet", ...middle }, fittingText(title, across)));
  }
  root.append(svg("line", { class: "capacity", x1: CHART.left, x2: width - CHART.right, y1: at, y2: at }));
  const label = `capacity ${bytesText(tier.capacity_bytes)}`;
  root.append(svg("text", { class: "capacity-label end", x: width - CHART.right - 4, y: at + 13 }, label));
}

/** A line at the step where most is alive; nothing if that never changes. */
function drawPeak(root, alive, x, base) {
  const peak = Math.max(...alive);
  if (peak === Math.min(...alive)) return;
  const at = x(alive.indexOf(peak) + 0.5);
  root.append(svg("line", { class: "peak", x1: at, x2: at, y1: CHART.top - 4, y2: base }));
  const isRight = at > x(alive.length / 2);
  const side = isRight ? { class: "peak-label end", x: at - 5 } : { class: "peak-label", x: at + 5 };
  root.append(svg("text", { ...side, y: CHART.top + 6 }, `peak ${bytesText(peak)}`));
}

function drawRegion(root, region, item, x, y, steps, dimmed) {
  const [left, right] = [x(region.first_step), x(region.last_step + 1)];
  const [top, bottom] = [y(region.offset_bytes + region.size_bytes), y(region.offset_bytes)];
  const height = Math.max(0.75, bottom - top);
  const shape = { x: left, y: top, width: right - left, height, "data-item": item };
  const look = `region ${kindClass(region.kind)}${height < 4 ? " thin" : ""}${dimmed ? " dimmed" : ""}`;
  root.append(box({ ...shape, class: look }, regionText(region, steps)));
  const label = height >= 13 ? fittingText(region.name, right - left) : "";
  if (label && !dimmed) root.append(svg("text", { class: "inside", x: left + 5, y: top + height / 2 + 4 }, label));
}

/** Draw one memory. `entries` are its searchable regions; those that `matches` refuses are pale. */
function drawMemory(place, readout, tier, entries, steps, scaleName, matches) {
  const regions = entries.map((entry) => entry.record);
  const count = Math.max(1, steps.length);
  const longest = Math.max(...steps.map((label) => label.length), 1);
  const roomy = (pictureWidth(place) - CHART.left - CHART.right) / count >= LABELLED_STEP;
  const bottom = CHART.bottom + (roomy ? 0.54 * Math.min(STEP_LABEL, 6.2 * longest) : 0);
  const height = CHART.height + bottom;
  const { root, width } = picture(place, height, `Regions of ${tier.memory.toUpperCase()} over ${count} steps`);
  const base = height - bottom;
  const x = (step) => CHART.left + (step / count) * (width - CHART.left - CHART.right);
  const scale = memoryScale(scaleName, tier, regions);
  const y = (offset) => base - scale.height(offset) * (base - CHART.top);
  const alive = aliveBytes(regions, count);
  drawTicks(root, scale, y, width);
  drawSteps(root, steps, x, base);
  entries.forEach((entry, item) => drawRegion(root, entry.record, item, x, y, steps, !matches(entry)));
  drawCapacity(root, tier, scale, y, width);
  drawPeak(root, alive, x, base);
  readout.textContent =
    `${tier.memory.toUpperCase()}: ${regions.length} regions to ${bytesText(tier.used_bytes)} of ` +
    `${bytesText(tier.capacity_bytes)}; at most ${bytesText(tier.peak_bytes)} alive at once`;
  explainHover(place, readout, (item) => regionText(regions[item], steps));
}
