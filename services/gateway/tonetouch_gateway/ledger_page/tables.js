// Small parts of the page: elements, tables, and numbers as people read them. Text is only ever set as text.

export const UNKNOWN = "–";

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function empty(words) {
  return element("p", { className: "empty" }, words);
}

// A table of rows by columns {name, of(row), number, bad(row)}; a value may be text or an element.
export function table(columns, rows, words) {
  if (!rows.length) return empty(words);
  const kind = (column) => (column.number ? "number" : "");
  const head = columns.map((column) => element("th", { className: kind(column), scope: "col" }, column.name));
  const body = rows.map((row) =>
    element("tr", {}, ...columns.map((column) => {
      const bad = column.bad?.(row) ? " bad" : "";
      return element("td", { className: kind(column) + bad }, column.of(row) ?? UNKNOWN);
    })),
  );
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}

export function card(name, value, { note = "", bad = false } = {}) {
  return element("dl", { className: bad ? "card bad" : "card" },
    element("dt", {}, name), element("dd", {}, value ?? UNKNOWN, note ? element("small", {}, note) : null));
}

// Four digits that matter, however small: a call may cost a millionth.
export function dollars(value) {
  if (value === null || value === undefined) return null;
  if (value === 0) return "$0";
  if (Math.abs(value) >= 0.01) return value.toLocaleString("en", { style: "currency", currency: "USD", maximumFractionDigits: 4 });
  return `$${Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 12 })}`;
}

export function count(value) {
  return value === null || value === undefined ? null : value.toLocaleString("en");
}

// Thousands and millions as such, where a long number would not fit.
export function roughly(value) {
  return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 });
}

export function share(value) {
  if (value === null || value === undefined) return null;
  return value.toLocaleString("en", { style: "percent", maximumFractionDigits: 1 });
}

export function milliseconds(value) {
  if (value === null || value === undefined) return null;
  if (value >= 1000) return `${(value / 1000).toLocaleString("en", { maximumFractionDigits: 1 })} s`;
  return `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ms`;
}

export function moment(text) {
  return text ? text.slice(0, 19).replace("T", " ") : null;
}
