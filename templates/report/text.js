// Numbers as a reader wants them; compiler/aretusa/report/numbers.py writes the same.

/** A size with three digits or a little more: 640 B, 3.5 KiB, 1.25 MiB. */
function bytesText(size) {
  if (size < 1024) return `${size} B`;
  if (size < 2 ** 20) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 2 ** 20).toFixed(2)} MiB`;
}

/** A count with three digits or a little more: 640, 3.50 k, 1.25 M. */
function countText(count) {
  for (const [factor, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (count >= factor) return `${(count / factor).toFixed(2)} ${unit}`;
  }
  return String(Math.round(count));
}

/** A share in per cent; of nothing it is zero. */
function percentText(part, whole) {
  return `${(whole ? (100 * part) / whole : 0).toFixed(1)} %`;
}

/** All digits, in groups of three. */
function digits(count) {
  return count.toLocaleString("en-US");
}

/** An offset in hexadecimal, as link maps print it. */
function hexText(offset) {
  return `0x${offset.toString(16).padStart(6, "0")}`;
}

/** The label of an axis: 0, 64 KiB, 1.5 MiB. */
function tickText(size) {
  if (size === 0) return "0";
  const [unit, name] = size >= 2 ** 20 ? [2 ** 20, "MiB"] : size >= 1024 ? [1024, "KiB"] : [1, "B"];
  return `${Number((size / unit).toFixed(unit === 2 ** 20 ? 2 : 1))} ${name}`;
}

/** As many letters as fit into a width, or none. Letters of the charts are 6.2 units wide. */
function fittingText(text, width) {
  const letters = Math.floor((width - 8) / 6.2);
  if (letters >= text.length) return text;
  return letters < 4 ? "" : `${text.slice(0, letters - 1)}…`;
}
