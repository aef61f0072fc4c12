/* The kinds of charts that reports are made of. Every value is data: Plot puts it into attributes and text, never into markup. */
(() => {
  "use strict";

  const { Plot, StokerCharts } = globalThis;
  const QUIET = "var(--chart-quiet)";
  const TONES = { challenger: 1, champion: 2, current: 1, reference: 2, good: "good", bad: "bad", quiet: "quiet" };
  const FAINT = { stroke: "currentColor", strokeOpacity: 0.15 };

  const colour = (tone, index = 0) => `var(--chart-${Object.hasOwn(TONES, tone ?? "") ? TONES[tone] : (index % 6) + 1})`;
  const short = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }));
  const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;

  /* Room for the labels at the left, in pixels: as much as the longest needs, at most a part of the width. */
  const margin = (labels, width) => Math.min(width * (width < 480 ? 0.45 : 0.33), 18 + 6.6 * Math.max(0, ...labels.map((label) => label.length)));
  const labelAxis = (marginLeft) => Plot.axisY({ label: null, tickSize: 0, textOverflow: "ellipsis", lineWidth: (marginLeft - 12) / 12 });

  const told = (row) => `${row.label}\n${short(row.value)}` + (row.low != null && row.high != null ? ` (${short(row.low)} to ${short(row.high)})` : "");

  function legend(series) {
    const list = document.createElement("ul");
    list.className = "chart-legend";
    series.forEach((one, index) => {
      const item = document.createElement("li");
      const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      swatch.setAttribute("class", "swatch");
      swatch.setAttribute("viewBox", "0 0 12 7");
      swatch.setAttribute("aria-hidden", "true");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [name, value] of Object.entries({ x1: 0, x2: 12, y1: 3.5, y2: 3.5, "stroke-width": 3 })) line.setAttribute(name, value);
      line.style.stroke = colour(one.tone, index);
      swatch.append(line);
      item.append(swatch, one.name);
      list.append(item);
    });
    return list;
  }

  function withLegend(series, picture) {
    if (series.length < 2) return picture;
    const box = document.createElement("div");
    box.append(legend(series), picture);
    return box;
  }

  /* {label, rows: [{label, value, low?, high?, tone?}], marks?: [{value, label}], legend?: [{name, tone}]} */
  function intervals({ label, rows, marks = [], legend: names = [] }, width) {
    const labels = [...new Set(rows.map((row) => row.label))];
    const marginLeft = margin(labels, width);
    const certain = rows.filter((row) => row.low != null && row.high != null);
    const toneOf = (row) => colour(row.tone);
    const room = marks.length ? 28 : 10;
    return withLegend(names, Plot.plot({
      width, marginLeft, marginRight: 28, marginTop: room, marginBottom: 38,
      height: (labels.length > 6 ? 22 : 34) * labels.length + room + 38,
      x: { label, domain: StokerCharts.ends([...rows.flatMap(({ value, low, high }) => [value, low, high]), ...marks.map(({ value }) => value)]), labelAnchor: "center", labelArrow: "none", nice: true, ticks: Math.max(2, Math.floor(width / 110)), tickFormat: short },
      y: { domain: labels, padding: 0.5 },
      marks: [
        labelAxis(marginLeft),
        Plot.gridX(FAINT),
        Plot.ruleX(marks, { x: "value", stroke: "currentColor", strokeDasharray: "4 3", strokeOpacity: 0.8 }),
        Plot.text(marks, { x: "value", text: "label", frameAnchor: "top", dy: -16, fill: "currentColor" }),
        Plot.ruleY(certain, { y: "label", x1: "low", x2: "high", stroke: toneOf, strokeWidth: 3 }),
        Plot.dot(rows, { y: "label", x: "value", r: 5, fill: toneOf, stroke: "var(--chart-surface)" }),
        Plot.tip(rows, Plot.pointer({ y: "label", x: "value", title: told })),
      ],
    }));
  }

  /* {x: {label, domain?}, y: {label, domain?}, series: [{name, x: [], y: [], tone?}], diagonal?, square?, dots?} */
  function lines({ x, y, series, diagonal, square, dots }, width) {
    const points = series.flatMap((one, index) => one.x.map((at, place) => ({ x: at, y: one.y[place], name: one.name, stroke: colour(one.tone, index) })));
    const wide = square ? Math.min(width, 400) : width;
    return withLegend(series, Plot.plot({
      width: wide, height: square ? wide : 280, marginLeft: 56, marginRight: 16, marginTop: 22, marginBottom: 40,
      x: { label: x.label, domain: x.domain, labelAnchor: "center", labelArrow: "none", ticks: Math.max(2, Math.floor(wide / 90)), tickFormat: short },
      y: { label: y.label, domain: y.domain, labelArrow: "none", tickFormat: short },
      marks: [
        Plot.gridX(FAINT), Plot.gridY(FAINT),
        diagonal ? Plot.link([diagonal], { x1: (ends) => ends[0], y1: (ends) => ends[0], x2: (ends) => ends[1], y2: (ends) => ends[1], stroke: QUIET, strokeDasharray: "4 3" }) : null,
        Plot.lineY(points, { x: "x", y: "y", z: "name", stroke: "stroke", strokeWidth: 2 }),
        dots ? Plot.dot(points, { x: "x", y: "y", fill: "stroke", r: 3.5 }) : null,
        Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (point) => `${point.name}\n${x.label}: ${short(point.x)}\n${y.label}: ${short(point.y)}` })),
      ],
    }));
  }

  /* {label, rows: [{label, value, tone?}], percent?} */
  function bars({ label, rows, percent: shares }, width) {
    const marginLeft = margin(rows.map((row) => row.label), width);
    const format = shares ? percent : short;
    return Plot.plot({
      width, marginLeft, marginRight: 56, marginTop: 4, marginBottom: 38, height: 24 * rows.length + 42,
      x: { label, labelAnchor: "center", labelArrow: "none", ticks: Math.max(2, Math.floor(width / 110)), tickFormat: format, nice: true },
      y: { domain: rows.map((row) => row.label), padding: 0.25 },
      marks: [
        labelAxis(marginLeft),
        Plot.gridX(FAINT),
        Plot.barX(rows, { x: "value", y: "label", fill: (row) => colour(row.tone) }),
        Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
        Plot.text(rows, { x: (row) => Math.max(0, row.value), y: "label", text: (row) => format(row.value), textAnchor: "start", dx: 5, fill: "currentColor" }),
      ],
    });
  }

  /* {rows: [labels of the truth], columns: [predicted labels], counts: [[...]]}: darker where a larger share of a row lies. */
  function matrix({ rows, columns, counts }, width) {
    const cells = counts.flatMap((line, row) => {
      const sum = line.reduce((total, count) => total + count, 0) || 1;
      return line.map((count, column) => ({ row: String(row), column: String(column), count, share: count / sum, right: row === column }));
    });
    const marginLeft = margin(rows, width) + 20;
    const side = Math.max(26, Math.min(84, (Math.min(width, 560) - marginLeft) / columns.length));
    const name = (labels) => (place) => labels[Number(place)];
    const roomy = side >= 48;
    return Plot.plot({
      width: marginLeft + side * columns.length + 12, height: 52 + Math.min(side, 56) * rows.length, marginLeft, marginTop: 44, marginBottom: 8, padding: 0.04,
      x: { axis: "top", label: "Predicted", labelAnchor: "center", labelArrow: "none", domain: columns.map((_, place) => String(place)), tickFormat: name(columns), tickSize: 0 },
      y: { label: "Actual", labelAnchor: "center", labelArrow: "none", domain: rows.map((_, place) => String(place)), tickFormat: name(rows), tickSize: 0 },
      marks: [
        Plot.cell(cells, { x: "column", y: "row", fill: (cell) => colour(cell.right ? "champion" : "challenger"), fillOpacity: (cell) => 0.06 + 0.5 * cell.share, title: (cell) => `${short(cell.count)} rows, ${percent(cell.share)} of ${rows[Number(cell.row)]}` }),
        Plot.text(cells, { x: "column", y: "row", text: (cell) => (roomy ? `${short(cell.count)}\n${percent(cell.share)}` : short(cell.count)), fill: "currentColor" }),
      ],
    });
  }

  /* {label, edges: [n + 1], series: [{name, values: [n], tone?}], percent?, times?}: steps over the edges, which need not be equally far apart. */
  function histogram({ label, edges: ends, series, percent: shares, times }, width) {
    const edges = times ? ends.map((seconds) => new Date(1000 * seconds)) : ends;
    const write = times ? (edge) => edge.toISOString().slice(0, 16).replace("T", " ") : short;
    const bins = series.flatMap((one, index) => one.values.map((value, place) => ({ low: edges[place], high: edges[place + 1], value, name: one.name, fill: colour(one.tone, index) })));
    const format = shares ? percent : short;
    return withLegend(series, Plot.plot({
      width, height: 190, marginLeft: 50, marginBottom: 36, marginTop: 20,
      x: { label, labelAnchor: "center", labelArrow: "none", ticks: Math.max(2, Math.floor(width / 90)), ...(times ? { type: "utc" } : { tickFormat: short }) },
      y: { label: shares ? "Share of rows" : "Rows", labelArrow: "none", tickFormat: format, ticks: 4 },
      marks: [
        Plot.gridY(FAINT),
        Plot.rectY(bins, { x1: "low", x2: "high", y1: 0, y2: "value", fill: "fill", fillOpacity: 0.3, stroke: "fill", strokeWidth: 1.2, title: (bin) => `${bin.name}\n${write(bin.low)} to ${write(bin.high)}: ${format(bin.value)}` }),
        Plot.ruleY([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
      ],
    }));
  }

  /* {label, labels: [], series: [{name, values: [], tone?}], percent?}: bars side by side for each label. */
  function categories({ label, labels, series, percent: shares }, width) {
    const marginLeft = margin(labels, width);
    const format = shares ? percent : short;
    const bars = series.flatMap((one, index) => one.values.map((value, place) => ({ place: String(place), series: String(index), value, name: one.name, fill: colour(one.tone, index) })));
    return withLegend(series, Plot.plot({
      width, marginLeft, marginRight: 32, marginTop: 6, marginBottom: 36, height: labels.length * (series.length * 11 + 8) + 42,
      x: { label, labelAnchor: "center", labelArrow: "none", tickFormat: format, ticks: Math.max(2, Math.floor(width / 110)), nice: true },
      fy: { domain: labels.map((_, place) => String(place)), axis: null, padding: 0.2 },
      y: { domain: series.map((_, index) => String(index)), axis: null, padding: 0.08 },
      marks: [
        Plot.gridX(FAINT),
        Plot.barX(bars, { x: "value", y: "series", fy: "place", fill: "fill", title: (bar) => `${labels[Number(bar.place)]}\n${bar.name}: ${format(bar.value)}` }),
        Plot.text(labels.map((text, place) => ({ text, place: String(place) })), { fy: "place", text: "text", frameAnchor: "left", textAnchor: "end", dx: -6, textOverflow: "ellipsis", lineWidth: (marginLeft - 12) / 12, fill: "currentColor" }),
        Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
      ],
    }));
  }

  /* {x: {label}, y: {label}, series: [{name, x: [], y: [], tone?}]}: both axes alike, with the diagonal. */
  function points({ x, y, series }, width) {
    const dots = series.flatMap((one, index) => one.x.map((at, place) => ({ x: at, y: one.y[place], name: one.name, stroke: colour(one.tone, index) })));
    const all = dots.flatMap((dot) => [dot.x, dot.y]);
    const ends = StokerCharts.ends(all);
    const wide = Math.min(width, 400);
    return withLegend(series, Plot.plot({
      width: wide, height: wide, marginLeft: 60, marginBottom: 40, marginTop: 22,
      x: { label: x.label, domain: ends, nice: true, labelAnchor: "center", labelArrow: "none", tickFormat: short, ticks: 5 },
      y: { label: y.label, domain: ends, nice: true, labelArrow: "none", tickFormat: short, ticks: 5 },
      marks: [
        Plot.gridX(FAINT), Plot.gridY(FAINT),
        Plot.link([ends], { x1: (pair) => pair[0], y1: (pair) => pair[0], x2: (pair) => pair[1], y2: (pair) => pair[1], stroke: QUIET, strokeDasharray: "4 3" }),
        Plot.dot(dots, { x: "x", y: "y", r: 2.5, stroke: "stroke", strokeOpacity: 0.7 }),
      ],
    }));
  }

  for (const [kind, render] of Object.entries({ intervals, lines, bars, matrix, histogram, categories, points })) StokerCharts.register(kind, render);
})();
