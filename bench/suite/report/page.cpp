#include "suite/report/page.hpp"

namespace silica::bench::suite::report {

const std::string_view style = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--muted:#57606a;--rule:#d8dee4;--soft:#f5f7f9;--link:#0a58a8;
--good:#0b6b3a;--goodp:#e2f4e9;--bad:#a3211a;--badp:#fde9e7;--warn:#7a4f00;--warnp:#fff2d3;
--c0:#0b6fb4;--c1:#c8530c;--c2:#12805c;--c3:#a34a86;--c4:#806a00;--c5:#5b62c4}
@media screen and (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e4e8ec;--muted:#9aa5b1;--rule:#323940;--soft:#1d2227;
--link:#77b7f2;--good:#6fd39b;--goodp:#12321f;--bad:#ff9d94;--badp:#43191a;--warn:#efc168;--warnp:#392b0d;
--c0:#58aee8;--c1:#f0975a;--c2:#4cc296;--c3:#dd8fc3;--c4:#cfb84a;--c5:#9aa0f2}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
header,main{max-width:84rem;margin:0 auto;padding:0 clamp(1rem,3vw,2.5rem)}
header{padding-top:2rem}main{padding-bottom:3rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.3rem;line-height:1.25;margin:0 0 .6rem;padding-top:1.4rem;border-top:1px solid var(--rule)}
h3{font-size:1.02rem;margin:1.6rem 0 .4rem}
p{margin:.4rem 0 .8rem;max-width:76ch}
.lead{color:var(--muted);margin-bottom:1rem}
.key{color:var(--muted);font-size:.82rem;margin:.4rem 0 1.2rem}
a{color:var(--link)}
nav ul,.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:0;padding:0}
nav ul{padding-bottom:1.2rem}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
section{margin-top:1.2rem}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,32rem),1fr));gap:1.2rem 2.5rem;
margin:.8rem 0 1rem}
.facts{grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:0 1.2rem;align-items:start;margin:0}
.facts .scroll{min-width:0}
figure{margin:0;min-width:0;max-width:52rem;overflow-x:auto}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:.4rem}
figure>svg{display:block;overflow:visible}
.legend{font-size:.82rem;color:var(--muted);margin:.4rem 0}
.legend svg{vertical-align:-1px}
.patterns{position:absolute}
svg text{fill:var(--ink);font-size:12px}
svg .label,svg .tick,svg .unit{fill:var(--muted);font-size:11.5px}
svg .group{font-weight:600}
svg .tick{text-anchor:middle}svg .tick.first,svg .unit.start{text-anchor:start}svg .tick.end,svg .unit{text-anchor:end}
svg .value{font-variant-numeric:tabular-nums}
.grid{stroke:var(--rule)}.stem{stroke:var(--rule);stroke-width:2}.reference{stroke:var(--ink);stroke-dasharray:4 3}
.whisker{stroke:var(--ink);stroke-width:1.5}
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}
[fill="url(#h0)"]{fill:url(#h0);stroke:var(--c0)}[fill="url(#h1)"]{fill:url(#h1);stroke:var(--c1)}
[fill="url(#h2)"]{fill:url(#h2);stroke:var(--c2)}[fill="url(#h3)"]{fill:url(#h3);stroke:var(--c3)}
[fill="url(#h4)"]{fill:url(#h4);stroke:var(--c4)}[fill="url(#h5)"]{fill:url(#h5);stroke:var(--c5)}
.paper{fill:var(--paper)}
.line{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}.dashed{stroke-dasharray:5 4}
.k0{stroke:var(--c0)}.k1{stroke:var(--c1)}.k2{stroke:var(--c2)}.k3{stroke:var(--c3)}.k4{stroke:var(--c4)}
.k5{stroke:var(--c5)}
.scroll{overflow:auto;max-height:36rem;border:1px solid var(--rule);border-radius:6px;margin:.6rem 0 .4rem}
table{border-collapse:separate;border-spacing:0;font-size:.84rem;line-height:1.35;width:100%}
caption{text-align:left;font-weight:600;padding:.5rem .65rem;caption-side:top}
th,td{padding:.32rem .65rem;text-align:left;vertical-align:top}
td{border-top:1px solid var(--rule);white-space:nowrap}
td.l{white-space:normal;min-width:16rem;max-width:34rem;overflow-wrap:anywhere}
th{position:sticky;top:0;background:var(--soft);font-weight:600;white-space:nowrap;vertical-align:bottom;z-index:1}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody tr:hover td{background:var(--soft)}
td.g{color:var(--good);background:var(--goodp)}td.b{color:var(--bad);background:var(--badp)}
td.w{color:var(--warn);background:var(--warnp)}td.q{color:var(--muted)}
td sup{color:var(--warn);font-size:.68em;font-weight:600;padding-left:.2em;line-height:0}
th button{all:unset;cursor:pointer;font:inherit}
th button:focus-visible,.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:1px}
th button::after{content:"\2195";opacity:.35;padding-left:.3em}
th[aria-sort=ascending] button::after{content:"\2191";opacity:1}
th[aria-sort=descending] button::after{content:"\2193";opacity:1}
input{font:inherit;font-size:.84rem;color:inherit;background:var(--paper);border:1px solid var(--rule);
border-radius:6px;padding:.25rem .6rem;width:min(100%,18rem);margin-top:.5rem}
details{margin:.6rem 0}
summary{cursor:pointer;font-weight:600;font-size:.9rem;padding:.3rem 0}
details caption{display:none}
.count{color:var(--muted);font-size:.82rem;margin:.3rem 0}.count:empty{display:none}
.count button{font:inherit;color:var(--link);background:none;border:0;padding:0;margin-left:.9em;cursor:pointer}
.count button:hover{text-decoration:underline}
@media print{details.large:not([open])>summary::after{content:": not printed; it is where it is opened first"}
:root{color-scheme:light}body{font-size:10pt}nav,input,.count button{display:none}.scroll{overflow:visible;
max-height:none;border:0}table{font-size:7.5pt}th,td{padding:.15rem .3rem}th{position:static}th button::after{content:""}
figure,tr{break-inside:avoid}h2,h3,caption{break-after:avoid}}
)css";

const std::string_view script = R"js(
"use strict";
(() => {
  const number = text => {
    const found = /-?\d+(\.\d+)?(e[+-]?\d+)?/i.exec(text);
    return found ? Number(found[0]) : NaN;
  };
  const make = (name, text) => {
    const element = document.createElement(name);
    if (name === "button") element.type = "button";
    element.textContent = text;
    return element;
  };
  const words = new Intl.Collator("en", {numeric: true});
  const step = 200;
  // Sorting, filter and pages of a table. Its rows are kept here; those that are shown are in the table.
  const manage = table => {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    if (rows.length < 2) return;
    let found = rows, most = step, texts = null;
    const count = make("p", "");
    count.className = "count";
    count.setAttribute("role", "status");
    const show = () => {
      const part = document.createDocumentFragment();
      for (const row of found.slice(0, most)) part.append(row);
      body.replaceChildren(part);
      const shown = Math.min(most, found.length);
      count.textContent = shown === rows.length ? "" : `${shown} of ${found.length} rows`;
      if (found.length < rows.length) count.append(`, ${rows.length} without the filter`);
      if (shown === found.length) return;
      for (const [text, more] of [[`${step} more`, step], ["all", Infinity]]) {
        const button = make("button", text);
        button.addEventListener("click", () => { most += more; show(); });
        count.append(button);
      }
    };
    const sort = (column, heading) => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      const sign = down ? -1 : 1;
      const numbers = heading.classList.contains("n");
      const keys = new Map(rows.map(row => {
        const text = row.cells[column].textContent;
        return [row, numbers ? number(text) : text];
      }));
      rows.sort((one, other) => {
        const a = keys.get(one), b = keys.get(other);
        if (!numbers) return words.compare(a, b) * sign;
        return isNaN(a) || isNaN(b) ? isNaN(a) - isNaN(b) : (a - b) * sign;
      });
      for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const kept = found.length < rows.length ? new Set(found) : null;
      found = kept ? rows.filter(row => kept.has(row)) : rows;
      show();
    };
    Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
      const button = make("button", "");
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(column, heading));
      heading.append(button);
    });
    if (rows.length < 20) return;
    const filter = make("input", "");
    filter.type = "search";
    filter.placeholder = "Filter the rows";
    filter.setAttribute("aria-label", "Filter the rows of this table");
    filter.addEventListener("input", () => {
      const text_of = row => Array.from(row.cells, cell => cell.textContent).join(" ").toLowerCase();
      texts = texts || new Map(rows.map(row => [row, text_of(row)]));
      const parts = filter.value.toLowerCase().split(/\s+/);
      const filtered = rows.filter(row => parts.every(part => texts.get(row).includes(part)));
      found = filtered.length < rows.length ? filtered : rows;
      show();
    });
    table.closest(".scroll").before(filter);
    table.closest(".scroll").after(count);
    if (rows.length > step) show();
  };
  document.querySelectorAll("table").forEach(manage);
  // A large table is the text of a noscript until it is opened: that costs no time before.
  for (const details of document.querySelectorAll("details.large")) {
    details.addEventListener("toggle", () => {
      const source = details.querySelector("noscript");
      if (!source) return;
      const built = document.createElement("template");
      built.innerHTML = source.textContent;
      manage(built.content.querySelector("table"));
      source.replaceWith(built.content);
    });
  }
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not(.large)")) details.open = true;
  });
})();
)js";

const std::string_view style_hash = "V/eu9Jp5EOn8hSfh1nvQcn5/VEEhxR/YnxAKIX29S80=";
const std::string_view script_hash = "nr+tHwj6EEX6+txOQRDhHRnOGGw71FbrtO4NeXZK1G8=";

}  // namespace silica::bench::suite::report
