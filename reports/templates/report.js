// Tables sort, filter and copy; headings and tables can be linked to. Without it all stays readable.
"use strict";
(() => {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const UNITS = { µs: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, kB: 1e3, MB: 1e6, GB: 1e9, GiB: 2 ** 30, MiB: 2 ** 20 };
  const LONG = 12; // rows, from which a table can be filtered

  // A cell's own text, without its small print and footnote.
  const own = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small, sup, .sign, .mark").forEach((e) => e.remove());
    return copy.textContent.trim();
  };
  // The number at its beginning, times its unit; NaN for text.
  const value = (text) => {
    const found = /^([+−-]?[\d,]*\.?\d+(?:e[+-]?\d+)?)[\s\u202f\u00a0]*([a-zA-Zµ]*)/.exec(text);
    if (!found) return NaN;
    return Number(found[1].replace("−", "-").replaceAll(",", "")) * (UNITS[found[2]] ?? 1);
  };
  const before = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) {
      if (!Number.isNaN(x)) return -1; // numbers first, what is missing last
      if (!Number.isNaN(y)) return 1;
      return a.localeCompare(b, "en");
    }
    return x - y;
  };
  const rows = (body) => [...body.rows].filter((row) => !row.classList.contains("section"));

  // The heading of each column: the lowest cell over it.
  const headings = (table) => {
    const grid = [];
    [...(table.tHead?.rows ?? [])].forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (grid[x]?.until > y) x += 1;
        for (let i = 0; i < cell.colSpan; i += 1) grid[x + i] = { cell, until: y + cell.rowSpan };
        x += cell.colSpan;
      }
    });
    return grid.map((entry) => entry.cell);
  };
  const sortable = (table) => {
    const count = Math.max(0, ...[...table.tBodies].map((body) => rows(body).length));
    const plain = (row) => [...row.cells].every((cell) => cell.colSpan === 1);
    return count > 2 && [...table.tBodies].every((body) => rows(body).every(plain));
  };
  // Says a cell that reaches over several rows again in each of them.
  const expand = (body) => {
    const over = []; // by column
    for (const row of rows(body)) {
      for (let x = 0; x < row.cells.length || over[x]?.left > 0; x += 1) {
        if (over[x]?.left > 0) {
          const again = over[x].cell.cloneNode(true);
          again.removeAttribute("id");
          row.insertBefore(again, row.cells[x] ?? null);
          over[x].left -= 1;
        } else {
          over[x] = { cell: row.cells[x], left: row.cells[x].rowSpan - 1 };
          row.cells[x].rowSpan = 1;
        }
      }
    }
  };
  const sort = (table, column, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("[aria-sort]").forEach((cell) => cell.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    for (const body of table.tBodies) {
      expand(body);
      const keyed = rows(body).map((row) => [own(row.cells[column]), row]);
      const missing = ([text]) => Number.isNaN(value(text)) && /^(X|–|)$/.test(text);
      keyed.sort((a, b) => missing(a) - missing(b) || (down ? before(b[0], a[0]) : before(a[0], b[0])));
      body.append(...keyed.map(([, row]) => row));
    }
  };
  // A cell's text as a spreadsheet reads it: numbers in plain ASCII, and no text is a formula.
  const plain = (cell) => own(cell)
    .replaceAll("−", "-").replace(/\s+%/g, "%").replace(/[\s\u202f\u00a0]+/g, " ")
    .replace(/(\d),(?=\d{3}(?!\d))/g, "$1")
    .replace(/^(?=[=@+-])(?![+-]?[\d.]+(e[+-]?\d+)?(%|\s[^=+\-*/^&<>@|!'"[\];{}]*)?$)/, "'");
  // Rows of columns: what spans rows stands in each, a heading over several columns over each.
  const grid = (table) => {
    const lines = [...table.rows].map(() => []);
    [...table.rows].forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (lines[y][x] !== undefined) x += 1;
        for (let down = 0; down < cell.rowSpan; down += 1) {
          for (let i = 0; i < cell.colSpan; i += 1) {
            const again = i === 0 || row.parentElement === table.tHead;
            if (lines[y + down]) lines[y + down][x + i] = again ? plain(cell) : "";
          }
        }
      }
    });
    return lines;
  };
  const text = (table) => grid(table).map((line) => line.join("\t")).join("\n");

  const copy = async (table, button, said) => {
    const content = text(table);
    try {
      await navigator.clipboard.writeText(content);
      said.textContent = "copied";
    } catch { // a page opened from disk may not be allowed to
      const area = make("textarea", { value: content, rows: 4, ariaLabel: "The table as text" });
      button.after(area);
      area.select();
      said.textContent = document.execCommand("copy") ? "copied" : "press Ctrl+C to copy";
      if (said.textContent === "copied") area.remove();
      button.focus();
    }
  };
  const filter = (table, wanted, said) => {
    [...table.tBodies].forEach(expand);
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    let [shown, all] = [0, 0];
    for (const body of table.tBodies) {
      const own = rows(body);
      for (const row of own) {
        const content = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => content.includes(word));
        all += 1;
        shown += !row.hidden;
      }
      body.hidden = own.every((row) => row.hidden); // its title goes with its last row
    }
    said.textContent = words.length ? `${shown} of ${all} rows` : "";
  };

  for (const table of document.querySelectorAll("main table:not(.matrix)")) {
    const said = make("span", { role: "status" });
    const tools = make("div", { className: "tools" });
    const count = [...table.tBodies].reduce((sum, body) => sum + rows(body).length, 0);
    if (count > LONG) {
      const field = make("input", { type: "search", autocomplete: "off", placeholder: " " });
      field.addEventListener("input", () => filter(table, field.value, said));
      tools.append(make("label", {}, "Filter rows ", field));
    }
    const button = make("button", { type: "button", textContent: "Copy as text" });
    button.addEventListener("click", () => copy(table, button, said));
    tools.append(button, said);
    const scroller = table.parentElement;
    const frame = make("div", { className: "framed" }); // where pointing shows the tools
    scroller.before(frame);
    frame.append(tools, scroller);
    if (!sortable(table)) continue;
    headings(table).forEach((heading, column) => {
      if (!own(heading) || heading.colSpan > 1) return;
      const linked = heading.querySelector("a"); // a link may not stand in a button
      const sorter = make("button", { type: "button", className: "sort" });
      if (linked) sorter.ariaLabel = `Sort by ${own(heading)}`;
      else sorter.append(...heading.childNodes);
      sorter.addEventListener("click", () => sort(table, column, heading));
      heading.append(sorter);
    });
  }
  // What is wider than its column says so, as long as there is more of it on the right.
  const hint = (scroller) => {
    const sign = make("p", { className: "more", textContent: "goes on to the right →" });
    sign.ariaHidden = "true"; // only the eye misses what is out of sight
    (scroller.closest(".framed") ?? scroller).before(sign);
    const look = () => {
      const over = scroller.scrollWidth - scroller.clientWidth;
      sign.hidden = over < 2;
      if (scroller.matches(".drawing")) scroller.tabIndex = over < 2 ? -1 : 0; // to scroll by keys
      sign.classList.toggle("seen", over - scroller.scrollLeft < 2);
    };
    scroller.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(scroller);
  };
  document.querySelectorAll("main .table, main .drawing").forEach(hint);
  // A figure that has no file is saved from the page itself, in the colours of the light page.
  const light = {};
  const colours = document.querySelector("style").textContent.matchAll(/(--\w+): (#\w+)/g);
  for (const [, name, colour] of colours) light[name] ??= colour;
  const saved = (drawing) => {
    const [first, ...others] = [...drawing.querySelectorAll("svg")];
    const copy = first.cloneNode(true);
    if (others.length) { // its panels have places in one figure
      const boxes = [first, ...others].map((svg) => svg.viewBox.baseVal);
      const [wide, tall] = [["x", "width"], ["y", "height"]].map(
        ([at, size]) => Math.max(...boxes.map((box) => box[at] + box[size])));
      copy.setAttribute("viewBox", `0 0 ${wide} ${tall}`);
      copy.removeAttribute("width");
      copy.append(...others.flatMap((svg) => [...svg.cloneNode(true).childNodes]));
    }
    copy.setAttribute("font-family", "sans-serif");
    copy.insertAdjacentHTML("afterbegin", '<rect width="100%" height="100%" fill="var(--paper)"></rect>');
    const whole = new XMLSerializer().serializeToString(copy);
    return whole.replace(/var\((--\w+)\)/g, (_, name) => light[name]);
  };
  for (const drawing of document.querySelectorAll("main figure > .drawing")) {
    const words = drawing.parentElement.querySelector("figcaption");
    if (!words || words.querySelector(".save")) continue;
    const link = make("a", { href: "#", download: "figure.svg", textContent: "SVG", ariaLabel: "this figure as SVG" });
    link.addEventListener("click", () => {
      const file = new Blob([saved(drawing)], { type: "image/svg+xml" });
      link.href = URL.createObjectURL(file);
    });
    words.append(" ", make("span", { className: "save" }, "Save as ", link));
  }
  for (const element of document.querySelectorAll("main h2[id], main h3[id], main caption[id]")) {
    const label = `Link to: ${element.textContent.trim().slice(0, 60)}`;
    element.append(make("a", { className: "anchor", href: `#${element.id}`, textContent: "#", ariaLabel: label }));
  }
  // A link into a closed part opens it; printing opens all.
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  if (location.hash) open();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((e) => (e.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((e) => (e.open = false)));
})();
