// How bytes become heights. A scale maps an offset to a height of 0 .. 1 and knows its ticks.

const SCALES = {
  used: "up to the last region",
  whole: "the whole memory, with what is reserved",
  even: "small regions enlarged, large ones compressed",
};

/** Every place where a region begins or ends, ascending. */
function edges(regions) {
  const found = new Set([0]);
  for (const region of regions) {
    found.add(region.offset_bytes);
    found.add(region.offset_bytes + region.size_bytes);
  }
  return [...found].sort((a, b) => a - b);
}

/** Heights in proportion to bytes. */
function linearScale(top) {
  let step = 1;
  while (top / step > 8) step *= 2;
  const ticks = [];
  for (let tick = 0; tick <= top; tick += step) ticks.push(tick);
  return { top, ticks, height: (offset) => Math.min(1, offset / top) };
}

/**
 * Heights that let small regions be seen beside large ones: between two edges the height grows with
 * a root of the bytes.
 */
function evenScale(regions) {
  const marks = edges(regions);
  const heights = [0];
  for (let i = 1; i < marks.length; i++) {
    heights.push(heights[i - 1] + (marks[i] - marks[i - 1]) ** 0.35);
  }
  const total = heights.at(-1) || 1;
  const height = new Map(marks.map((mark, i) => [mark, heights[i] / total]));
  const ticks = [];
  for (const mark of marks) {
    if (ticks.length === 0 || height.get(mark) - height.get(ticks.at(-1)) > 0.07) ticks.push(mark);
  }
  return { top: marks.at(-1), ticks, height: (offset) => height.get(offset) ?? 1 };
}

/** The scale of that name for a memory. */
function memoryScale(name, tier, regions) {
  if (name === "even") return evenScale(regions);
  const end = Math.max(1, edges(regions).at(-1));
  return linearScale(name === "whole" ? Math.max(tier.size_bytes, end) : end * 1.04);
}

/** Bytes alive in each step. */
function aliveBytes(regions, steps) {
  const change = new Array(steps + 1).fill(0);
  for (const region of regions) {
    change[region.first_step] += region.size_bytes;
    change[region.last_step + 1] -= region.size_bytes;
  }
  let alive = 0;
  return change.slice(0, steps).map((delta) => (alive += delta));
}
