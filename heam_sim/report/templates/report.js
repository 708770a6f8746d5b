// SPDX-License-Identifier: MIT
// Makes the tables of a report sortable, filterable and copyable. Without it they are plain tables.
"use strict";
(() => {
  document.documentElement.classList.add("js");

  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  const valueOf = (cell) => (cell.hasAttribute("data-v") ? cell.dataset.v : cell.textContent);

  // What is not there comes last, whichever way the rest is sorted.
  const compare = (first, second, numeric, sign) => {
    const empty = (first === "") - (second === "");
    if (empty) return empty;
    if (!numeric) return sign * first.localeCompare(second, "en", { numeric: true });
    const [one, other] = [first, second].map((text) => (/inf/.test(text) ? (text[0] === "-" ? -1 : 1) * Infinity : Number(text)));
    return one === other ? 0 : sign * (one < other ? -1 : 1);
  };

  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = make("textarea", { readonly: "", "aria-hidden": "true" });
      area.value = text;
      area.style.position = "fixed";
      area.style.opacity = "0";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function enhance(table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const count = make("span", { class: "count", role: "status" });
    const name = table.caption.textContent;

    const tell = (extra = "") => {
      const visible = rows.filter((row) => !row.hidden).length;
      count.textContent = `${visible === rows.length ? rows.length : `${visible} of ${rows.length}`} rows${extra}`;
    };

    const show = (column, visible) => {
      heads[column].hidden = !visible;
      for (const row of rows) row.cells[column].hidden = !visible;
    };

    const sort = (column) => {
      const before = heads[column].getAttribute("aria-sort");
      const next = before === "ascending" ? "descending" : before === "descending" ? "none" : "ascending";
      for (const head of heads) head.removeAttribute("aria-sort");
      let order = rows;
      if (next !== "none") {
        heads[column].setAttribute("aria-sort", next);
        const numeric = heads[column].hasAttribute("data-n");
        const sign = next === "ascending" ? 1 : -1;
        const keys = new Map(rows.map((row) => [row, valueOf(row.cells[column])]));
        order = [...rows].sort((one, other) => compare(keys.get(one), keys.get(other), numeric, sign));
      }
      body.append(...order);
      tell(next === "none" ? ", in their first order" : `, sorted by ${heads[column].textContent}, ${next}`);
    };

    const filter = (text) => {
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, number) => {
        row.hidden = !words.every((word) => texts[number].includes(word));
      });
      tell();
    };

    const csv = () => {
      const columns = heads.map((_, column) => column).filter((column) => !heads[column].hidden);
      const lines = [columns.map((column) => quoted(heads[column].dataset.name))];
      for (const row of body.rows) {
        if (!row.hidden) lines.push(columns.map((column) => quoted(valueOf(row.cells[column]))));
      }
      return lines.map((cells) => cells.join(",")).join("\n") + "\n";
    };

    heads.forEach((head, column) => {
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(column));
      head.append(button);
      if (head.hasAttribute("data-x")) show(column, false);
    });

    const tools = make("div", { class: "tools" });
    if (rows.length > 1) {
      const search = make("input", { type: "search", placeholder: "Filter rows", "aria-label": `Filter rows of: ${name}` });
      search.addEventListener("input", () => filter(search.value));
      tools.append(search);
    }
    const button = make("button", { type: "button" }, "Copy as CSV");
    button.addEventListener("click", async () => tell((await copy(csv())) ? ", copied" : ", cannot be copied here"));
    tools.append(button);
    if (heads.length > 2) tools.append(chooser(heads, show));
    tools.append(count);
    table.closest(".box").before(tools);
    tell();
  }

  function chooser(heads, show) {
    const choices = make("div", { class: "choices" });
    const boxes = heads.map((head, column) => {
      const box = make("input", { type: "checkbox" });
      box.checked = !head.hidden;
      box.addEventListener("change", () => show(column, box.checked));
      choices.append(make("label", {}, box, ` ${head.textContent}`));
      return box;
    });
    const all = make("button", { type: "button" }, "All columns");
    all.addEventListener("click", () => {
      const every = boxes.every((box) => box.checked);
      boxes.forEach((box, column) => {
        box.checked = every ? !heads[column].hasAttribute("data-x") : true;
        show(column, box.checked);
      });
    });
    choices.prepend(all);
    return make("details", { class: "columns" }, make("summary", {}, "Columns"), choices);
  }

  document.querySelectorAll("table.data").forEach(enhance);
})();
