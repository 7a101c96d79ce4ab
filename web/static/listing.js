// What the listing gains when a script runs: sorting in place, a filter, and
// movement by keys. The page is complete without it.

const list = document.getElementById("list");
const box = document.getElementById("filter");
const input = document.getElementById("filter-text");
const count = document.getElementById("filter-count");
const chunks = [...list.tBodies].filter((b) => !b.classList.contains("up"));
let rows = chunks.flatMap((b) => [...b.rows]);
const chunkRows = 100;

// Beyond this many rows moving all of them takes longer than asking the
// server, so its own sorting links are left alone, and typing is waited out.
const heavy = rows.length > 50_000;

// --- what is missing stands before the table for screen readers, too

const missing = document.getElementById("missing");
if (missing) list.before(missing);

// --- sorting

const keys = {
  // The name without the slash of a directory, which is not part of it.
  name: (row) => row.cells[0].querySelector("bdi").textContent,
  // Without grouping commas; an unknown size sorts as the least.
  size: (row) => (row.cells[1].title ? parseInt(row.cells[1].title.replaceAll(",", ""), 10) : -1),
  // ISO dates compare as text.
  time: (row) => row.cells[2].firstElementChild?.dateTime ?? "",
};

function sort(column, descending) {
  const key = keys[column];
  const sign = descending ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: key(row) }));
  keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0));
  rows = keyed.map((k) => k.row);
  // Out of the document, moving costs no style or layout.
  for (const chunk of chunks) chunk.remove();
  chunks.forEach((chunk, i) => chunk.replaceChildren(...rows.slice(i * chunkRows, (i + 1) * chunkRows)));
  list.append(...chunks);
  texts = null;
  settle();
}

function mark(link, descending) {
  for (const other of list.tHead.querySelectorAll("a")) {
    const cell = other.parentElement;
    let next = other.dataset.column === "name" ? "asc" : "desc";
    if (other === link) {
      cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      next = descending ? "asc" : "desc";
    } else {
      cell.removeAttribute("aria-sort");
    }
    other.search = `?sort=${other.dataset.column}&order=${next}`;
  }
}

list.tHead.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || heavy || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const search = link.search;
  const descending = search.endsWith("desc");
  sort(link.dataset.column, descending);
  mark(link, descending);
  // A reload, or the address sent to somebody, shows the same order.
  history.replaceState(null, "", search);
});

// --- filter

let texts = null;

function filter() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  texts ??= rows.map((row) => row.firstElementChild.firstElementChild.textContent.toLowerCase());
  rows.forEach((row, i) => {
    const hide = !words.every((word) => texts[i].includes(word));
    if (row.hidden !== hide) row.hidden = hide;
  });
  const shown = settle();
  box.classList.toggle("none", shown === 0);
  count.value = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : "";
}

// settle tells the browser how tall each chunk is, so that those out of sight
// take their true place without being laid out. It returns the number of rows
// that are shown.
function settle() {
  let all = 0;
  chunks.forEach((chunk, i) => {
    let shown = 0;
    for (const row of rows.slice(i * chunkRows, (i + 1) * chunkRows)) if (!row.hidden) shown++;
    chunk.hidden = shown === 0;
    chunk.style.containIntrinsicHeight = `calc(${shown} * var(--row))`;
    all += shown;
  });
  return all;
}

let waiting = 0;
input.addEventListener("input", () => {
  clearTimeout(waiting);
  if (heavy) waiting = setTimeout(filter, 250);
  else filter();
});

if (rows.length > 1) box.hidden = false;
// The browser may have kept what was typed before a reload or a step back.
if (input.value) filter();

// --- keys

const links = () => [...list.querySelectorAll("tbody:not([hidden], .up) > tr:not([hidden]) > :first-child > a")];

function step(from, by) {
  const all = links();
  const at = from ? all.indexOf(from) + by : 0;
  if (at < 0) input.focus();
  else all[Math.min(at, all.length - 1)]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target === input) {
    if (event.key === "Escape") {
      input.value = "";
      filter();
      input.blur();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      step(null, 0);
    }
    return;
  }
  if (event.key === "/" && !box.hidden) {
    event.preventDefault();
    input.focus();
    input.select();
    return;
  }
  const row = event.target.closest?.("#list tbody tr");
  if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    step(row.cells[0].firstElementChild, event.key === "ArrowDown" ? 1 : -1);
  }
});
