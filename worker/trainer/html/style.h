#ifndef QUANTRY_WORKER_TRAINER_HTML_STYLE_H_
#define QUANTRY_WORKER_TRAINER_HTML_STYLE_H_

namespace quantry::trainer {

// The report's style sheet: light, dark and paper.
inline constexpr char kReportStyle[] = R"css(
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --soft: #5c6670; --line: #d9dee3;
  --c0: #2563c9; --c1: #c2571a; --c2: #23804d; --c3: #8a3fb0; --good: #23804d; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1d2227; --ink: #e6e9ec; --soft: #9aa5b0; --line: #333b43;
    --c0: #6ea8fe; --c1: #f0a060; --c2: #63c592; --c3: #cf9bea; --good: #63c592; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 24px 28px 48px; max-width: 1180px; background: var(--page);
  color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
h1 { font-size: 24px; margin: 0 0 2px; }
h2 { font-size: 17px; margin: 34px 0 10px; padding-top: 10px; border-top: 1px solid var(--line); }
p { margin: 4px 0 10px; max-width: 75ch; }
.lead, .note { color: var(--soft); }
.lead { overflow-wrap: anywhere; max-width: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px;
  margin: 20px 0 6px; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 14px; }
.card b { display: block; font-size: 21px; font-weight: 600; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 12.5px; }
.up { color: var(--good); } .down { color: var(--bad); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px; }
.chart { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 12px 6px; }
figcaption { font-weight: 600; }
.key { font-weight: 400; color: var(--soft); font-size: 12.5px; margin-left: 12px;
  white-space: nowrap; }
.key i { display: inline-block; width: 14px; height: 3px; margin-right: 5px;
  vertical-align: middle; }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.tick { fill: var(--soft); font-size: 11px; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line0 { stroke: var(--c0); } .line1 { stroke: var(--c1); } .line2 { stroke: var(--c2); }
.line3 { stroke: var(--c3); }
.dot0 { fill: var(--c0); } .dot1 { fill: var(--c1); } .dot2 { fill: var(--c2); }
.dot3 { fill: var(--c3); }
.swatch0 { background: var(--c0); } .swatch1 { background: var(--c1); }
.swatch2 { background: var(--c2); } .swatch3 { background: var(--c3); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.name { overflow-wrap: anywhere; min-width: 160px; }
small { color: var(--soft); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
td.picture { min-width: 150px; width: 190px; padding-top: 2px; padding-bottom: 2px; }
.bins { fill: var(--c0); } .range { stroke: var(--c1); stroke-width: 1; stroke-dasharray: 3 2; }
.bar { display: inline-block; width: 100%; min-width: 60px; height: 9px; border-radius: 3px;
  background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--c0); }
.settings { columns: 2 380px; column-gap: 36px; }
.settings td { overflow-wrap: anywhere; }
.settings td.key-name { white-space: nowrap; overflow-wrap: normal; color: var(--soft); }
footer { margin-top: 36px; color: var(--soft); font-size: 12.5px; }
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --panel: #ffffff; --ink: #000000; --soft: #444444; --line: #bbbbbb;
    --c0: #1d4f9f; --c1: #a34610; --c2: #1c6a3f; --c3: #6f2f90; --good: #1c6a3f; --bad: #8f1d17;
  }
  @page { margin: 14mm 12mm; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  table { font-size: 8.5pt; }
  h2 { break-after: avoid; }
  thead { display: table-header-group; }
  tr, .card, .chart { break-inside: avoid; }
  .cards { grid-template-columns: repeat(3, 1fr); }
  .charts { grid-template-columns: 1fr 1fr; }
  .scroll { overflow: visible; }
  td.name { min-width: 32mm; } td.picture { min-width: 60px; width: 100px; }
  th, td { padding-right: 6px; }
  .bar i, .key i, .bins { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_STYLE_H_
