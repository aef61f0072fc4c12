/* The charts that only pages have: quality over versions, quality over monitored windows, who was champion when.
   What a mark means is said by its shape as well as by its colour. */
(() => {
  "use strict";

  const NARROW = 520;
  const MARKS = {
    champion: { text: "was or is champion", symbol: "circle", stroke: "var(--chart-1)", fill: "var(--chart-1)" },
    other: { text: "never champion", symbol: "circle", stroke: "var(--chart-quiet)", fill: "var(--chart-surface)" },
    rival: { text: "champion of then, on the same rows", symbol: "dash", stroke: "var(--chart-2)", fill: "none" },
    blocked: { text: "blocked", symbol: "times", stroke: "var(--chart-bad)", fill: "none" },
    pass: { text: "passed", symbol: "circle", stroke: "var(--chart-good)", fill: "var(--chart-good)" },
    fail: { text: "failed", symbol: "diamond", stroke: "var(--chart-bad)", fill: "var(--chart-bad)" },
    unsure: { text: "no clear answer", symbol: "triangle", stroke: "var(--chart-1)", fill: "var(--chart-surface)" },
    promoted: { text: "promoted", symbol: "circle", stroke: "var(--chart-good)", fill: "var(--chart-good)" },
    rolled_back: { text: "rolled back", symbol: "triangle", stroke: "var(--chart-1)", fill: "var(--chart-1)" },
    unblocked: { text: "unblocked", symbol: "plus", stroke: "var(--chart-quiet)", fill: "none" },
  };
  const DASH = { draw: (context) => (context.moveTo(-8, 0), context.lineTo(8, 0)) };
  const SYMBOLS = {
    circle: d3.symbolCircle,
    diamond: d3.symbolDiamond,
    plus: d3.symbolPlus,
    times: d3.symbolTimes,
    triangle: d3.symbolTriangle,
  };
  const SVG = "http://www.w3.org/2000/svg";

  StokerCharts.register("quality-versions", (data, width) => {
    const points = data.points.filter((point) => point.value !== null);
    const mark = (point) => (point.blocked ? "blocked" : point.champion ? "champion" : "other");
    const numbers = points.map((point) => point.version);
    const rivals = points.filter((point) => point.rival !== null);
    const plot = Plot.plot({
      ...frame(width),
      x: { type: "point", domain: numbers, label: "Version", ticks: every(numbers, width), tickFormat: (n) => `v${n}` },
      y: quality(data.metric, points),
      marks: [
        whiskers(points, "version"),
        Plot.link(rivals, {
          x: "version",
          y1: "rival",
          y2: "value",
          stroke: "var(--chart-quiet)",
          strokeDasharray: "2,2",
        }),
        Plot.dot(rivals, { x: "version", y: "rival", ...shape("rival") }),
        ...dots(points, width, "version", mark, (point) =>
          lines(
            `Version ${point.version}: ${MARKS[mark(point)].text}`,
            `${data.metric} ${digits(point.value)}${interval(point)}`,
            point.rival === null ? "" : `champion of then ${digits(point.rival)}`,
            point.reason,
          ),
        ),
      ],
    });
    return withLegend(plot, [...points.map(mark), ...(rivals.length ? ["rival"] : [])]);
  });

  StokerCharts.register("quality-windows", (data, width) => {
    const points = data.points.filter((point) => point.value !== null);
    const mark = (point) => (point.outcome === "pass" || point.outcome === "fail" ? point.outcome : "unsure");
    const windows = [...new Set(points.map((point) => point.window))].sort();
    const firsts = points.filter((point, i) => i === 0 || points[i - 1].version !== point.version);
    const plot = Plot.plot({
      ...frame(width),
      x: {
        type: "point",
        domain: windows,
        label: "Window",
        ticks: every(windows, width),
        tickRotate: windows.length > 6 || width < NARROW ? -40 : 0,
      },
      y: quality(data.metric, points),
      marginTop: 44,
      marginBottom: 64,
      marks: [
        Plot.ruleX(firsts.slice(1), {
          x: "window",
          stroke: "currentColor",
          strokeOpacity: 0.35,
          strokeDasharray: "3,3",
        }),
        Plot.text(apart(firsts, windows, width), {
          x: "window",
          text: (point) => `v${point.version}`,
          frameAnchor: "top",
          dy: -12,
          fontWeight: 600,
        }),
        Plot.lineY(points, { x: "window", y: "value", z: "version", stroke: "var(--chart-quiet)", strokeOpacity: 0.6 }),
        whiskers(points, "window"),
        ...dots(points, width, "window", mark, (point) =>
          lines(
            `${point.window}, version ${point.version}: ${MARKS[mark(point)].text}`,
            `${data.metric} ${digits(point.value)}${interval(point)}`,
          ),
        ),
      ],
    });
    return withLegend(plot, points.map(mark));
  });

  StokerCharts.register("timeline", (data, width) => {
    const now = new Date(data.now);
    const spans = data.spans.map((span) => ({
      ...span,
      since: new Date(span.since),
      until: span.until ? new Date(span.until) : now,
    }));
    const events = data.events.map((event) => ({ ...event, time: new Date(event.time) }));
    const first = d3.min([...spans.map((span) => span.since), ...events.map((event) => event.time)]);
    const versions = [...new Set([...spans, ...events].map((one) => one.version))].sort((a, b) => b - a);
    const mark = (event) => event.kind;
    const plot = Plot.plot({
      ...frame(width, Math.max(110, 60 + 22 * versions.length)),
      marginTop: 8,
      marginLeft: 44,
      marginRight: 24,
      x: { type: "utc", domain: [first, now], ...timeAxis(first, now, width) },
      y: { type: "band", domain: versions, label: null, tickFormat: (n) => `v${n}`, padding: 0.35 },
      marks: [
        Plot.ruleY(versions, { stroke: "var(--chart-grid)" }),
        Plot.barX(spans, {
          x1: "since",
          x2: "until",
          y: "version",
          fill: "var(--chart-1)",
          fillOpacity: 0.55,
          rx: 3,
          insetLeft: -1,
          insetRight: -1,
        }),
        ...dots(
          events,
          width,
          "time",
          mark,
          (event) =>
            lines(
              `Version ${event.version} ${MARKS[event.kind].text}`,
              `${event.time.toISOString().slice(0, 16).replace("T", " ")} UTC, by ${event.actor}`,
              event.reason,
            ),
          "version",
        ),
      ],
    });
    return withLegend(plot, events.map(mark));
  });

  function frame(width, height = Math.max(200, Math.min(300, Math.round(width * 0.34)))) {
    return {
      width,
      height,
      marginTop: 30,
      marginBottom: 42,
      marginLeft: 52,
      marginRight: 18,
      style: { fontSize: "12px", background: "transparent" },
    };
  }

  function quality(metric, points) {
    const values = points.flatMap(({ value, low, high, rival }) => [value, low, high, rival]);
    return { label: metric, domain: StokerCharts.ends(values), grid: true, nice: true, ticks: 5 };
  }

  function whiskers(points, x) {
    return Plot.ruleX(
      points.filter((point) => point.low !== null && point.high !== null),
      { x, y1: "low", y2: "high", stroke: "var(--chart-quiet)", strokeWidth: 2, strokeOpacity: 0.6 },
    );
  }

  /* One mark a meaning, so that each has its own shape and fill; the tip is one for all of them. */
  function dots(points, width, x, mark, title, y = "value") {
    const tipWidth = width < NARROW ? 15 : 24; // in em
    const layers = Object.keys(MARKS).map((name) => {
      return Plot.dot(
        points.filter((point) => mark(point) === name),
        { x, y, ...shape(name), r: Math.max(3, 5 - points.length / 20) },
      );
    });
    return [
      ...layers,
      Plot.tip(
        points,
        Plot.pointer({
          x,
          y,
          title,
          maxRadius: 30,
          lineWidth: tipWidth,
          lineHeight: 1.3,
          stroke: "var(--chart-quiet)",
        }),
      ),
    ];
  }

  function shape(name) {
    const { symbol, stroke, fill } = MARKS[name];
    return { symbol: symbol === "dash" ? DASH : symbol, stroke, fill, r: 5, strokeWidth: 2 };
  }

  function withLegend(plot, marks) {
    const used = Object.keys(MARKS).filter((name) => marks.includes(name));
    const list = document.createElement("ul");
    list.className = "chart-legend";
    list.append(...used.map(legendItem));
    const box = document.createElement("div");
    box.append(list, plot);
    return box;
  }

  function legendItem(name) {
    const { text, symbol, stroke, fill } = MARKS[name];
    const item = document.createElement("li");
    const swatch = document.createElementNS(SVG, "svg");
    swatch.setAttribute("viewBox", "-9 -6 18 12");
    swatch.setAttribute("class", "swatch");
    swatch.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d3.symbol(symbol === "dash" ? DASH : SYMBOLS[symbol], 60)());
    path.setAttribute("stroke", stroke);
    path.setAttribute("stroke-width", "2");
    path.setAttribute("fill", fill);
    swatch.append(path);
    item.append(swatch, text);
    return item;
  }

  /* Ticks that have room: every n-th, the last always among them. */
  function every(values, width) {
    const step = Math.max(1, Math.ceil(values.length / Math.max(2, Math.floor(width / 48))));
    return values.filter((_, i) => (values.length - 1 - i) % step === 0);
  }

  function timeAxis(first, last, width) {
    const days = (last - first) / 86_400_000;
    const pattern = days < 0.02 ? "%H:%M:%S" : days < 2 ? "%H:%M" : days < 90 ? "%m-%d" : "%Y-%m";
    const label = days < 2 ? `Time on ${d3.utcFormat("%Y-%m-%d")(last)} (UTC)` : "Time (UTC)";
    return { label, ticks: Math.max(2, Math.floor(width / 110)), tickFormat: d3.utcFormat(pattern) };
  }

  /* Labels of versions that would stand on each other are left out; the tips have them all. */
  function apart(firsts, windows, width) {
    const room = 30;
    let last = -Infinity;
    return firsts.filter((point) => {
      const at = (windows.indexOf(point.window) / Math.max(1, windows.length - 1)) * (width - 70);
      if (at - last < room) return false;
      last = at;
      return true;
    });
  }

  function digits(value) {
    if (Math.abs(value) >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 1 });
    return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(2) : value.toFixed(4);
  }

  function interval(point) {
    return point.low === null || point.high === null ? "" : `, interval ${digits(point.low)} to ${digits(point.high)}`;
  }

  function lines(...texts) {
    return texts
      .filter(Boolean)
      .map((text) => (text.length > 160 ? `${text.slice(0, 159)}…` : text))
      .join("\n");
  }
})();
