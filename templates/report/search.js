// A query is words that must all occur; `key:value` asks one column for exactly that value.

/** A test for records: each has `fields` (column -> text) and `text` (all of them). */
function matcher(query) {
  const terms = query.toLowerCase().split(/\s+/).filter(Boolean);
  return (entry) => terms.every((term) => hasTerm(entry, term));
}

function hasTerm(entry, term) {
  const colon = term.indexOf(":");
  const field = colon > 0 ? entry.fields[term.slice(0, colon)] : undefined;
  return field === undefined ? entry.text.includes(term) : field === term.slice(colon + 1);
}

/** A record made ready for searching. */
function searchable(record, fields) {
  const lower = {};
  for (const [key, value] of Object.entries(fields)) lower[key] = String(value ?? "").toLowerCase();
  return { record, fields: lower, text: Object.values(lower).join("\n") };
}
