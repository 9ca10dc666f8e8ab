// A table whose rows are made once; searching hides them, a click on a head sorts them.

/** `columns`: {key, title, hint?, number?, value(record) to sort by, show(record)}. */
class SortedTable {
  constructor(place, columns, entries, chooseSort) {
    this.sorted = "";
    this.columns = columns;
    this.entries = entries;
    this.heads = columns.map((column) => this.makeHead(column, chooseSort));
    this.rows = entries.map((entry) => this.makeRow(entry.record));
    this.body = html("tbody", {}, ...this.rows);
    place.replaceChildren(html("table", {}, html("thead", {}, html("tr", {}, ...this.heads)), this.body));
  }

  makeHead(column, chooseSort) {
    const button = html("button", { type: "button", title: column.hint }, column.title);
    button.addEventListener("click", () => {
      const ascending = column.number ? `-${column.key}` : column.key;
      const descending = column.number ? column.key : `-${column.key}`;
      chooseSort(this.sorted === ascending ? descending : this.sorted === descending ? "" : ascending);
    });
    return html("th", { class: column.number ? "number" : null, scope: "col" }, button);
  }

  makeRow(record) {
    const cells = this.columns.map((column) => {
      const shown = column.show(record);
      return html("td", { class: column.number ? "number" : column.wide ? "wide" : null }, shown ?? "");
    });
    return html("tr", {}, ...cells);
  }

  /** Sort by a column's key, `-key` for descending, "" for the order of the plan. */
  sort(key) {
    if (key === this.sorted) return;
    this.sorted = key;
    const column = this.columns.find((one) => one.key === key.replace(/^-/, ""));
    const sign = key.startsWith("-") ? -1 : 1;
    const order = this.entries.map((_, i) => i);
    if (column) {
      const values = this.entries.map((entry) => column.value(entry.record));
      order.sort((a, b) => sign * compare(values[a], values[b]) || a - b);
    }
    this.body.append(...order.map((i) => this.rows[i]));
    this.heads.forEach((head, i) => {
      const isChosen = column === this.columns[i] && column;
      if (isChosen) head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  /** Hide what does not match; returns how many rows are left. */
  filter(matches) {
    let shown = 0;
    this.entries.forEach((entry, i) => {
      this.rows[i].hidden = !matches(entry);
      shown += this.rows[i].hidden ? 0 : 1;
    });
    return shown;
  }
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** Numbers by size, texts by alphabet with numbers inside by size; null comes first. */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  return COLLATOR.compare(String(a), String(b));
}
