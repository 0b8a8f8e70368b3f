"""How the printed report looks: A4, black on white, tables whose headings come again on every page."""

from __future__ import annotations

STYLE = """
@page { size: A4; margin: 14mm 13mm 16mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1a1a1a; font: 10pt/1.45 "Noto Sans", "Helvetica Neue", Arial, "Noto Sans CJK SC",
  "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", SimSun, sans-serif;
  -webkit-print-color-adjust: exact; print-color-adjust: exact; }
main { max-width: 184mm; margin: 0 auto; }
h1 { font-size: 18pt; margin: 0 0 3mm; }
h2 { font-size: 11.5pt; margin: 0 0 2mm; break-after: avoid; }
header { border-bottom: 1.5pt solid #1a1a1a; padding-bottom: 3mm; }
dl { display: grid; grid-template-columns: repeat(2, 1fr); gap: 0.5mm 6mm; margin: 0; }
dl div { display: flex; gap: 3mm; }
dt { color: #555; min-width: 26mm; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
section { margin-top: 6mm; }
p, ul { margin: 0 0 2mm; }
ul { padding-left: 5mm; }
.cards { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4mm; }
.cards div { border: 0.7pt solid #bbb; border-radius: 1.5mm; padding: 3mm; break-inside: avoid; }
.cards h2 { font-size: 9.5pt; color: #444; margin: 0; }
.cards p { margin: 0; color: #444; font-size: 9pt; font-variant-numeric: tabular-nums; }
.cards .value { font-size: 19pt; font-weight: 650; color: #111; }
figure { margin: 0 0 6mm; break-inside: avoid; }
svg { display: block; width: 100%; height: auto; font-size: 11px; fill: #1a1a1a; }
svg .small { font-size: 9.5px; fill: #444; font-variant-numeric: tabular-nums; }
svg .grid { stroke: #ddd; stroke-width: 0.6; }
svg .axis { stroke: #555; stroke-width: 1; }
svg .cell { stroke: #999; stroke-width: 0.4; }
.key span { margin-right: 5mm; font-size: 9pt; }
.key i { display: inline-block; width: 3mm; height: 3mm; margin-right: 1.5mm; }
table { width: 100%; border-collapse: collapse; font-size: 8.5pt; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th { text-align: left; vertical-align: bottom; border-bottom: 1pt solid #444; padding: 1mm; font-weight: 600; }
td { border-bottom: 0.4pt solid #ccc; padding: 0.8mm 1mm; vertical-align: top; overflow-wrap: anywhere; }
th.number, td.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
th.number { white-space: normal; }
td:first-child { min-width: 26mm; }
td:first-child:nth-last-child(n + 8) { min-width: 40mm; }
.definitions { font-size: 8.5pt; color: #333; }
@media screen { body { padding: 10mm; } }
"""
