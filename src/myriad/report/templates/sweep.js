/* The chart of a sweep: what stands across, upwards and as colour is chosen; rows are filtered by axis values. */
"use strict";
(function () {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("sweep-data");
  const shared = read("chart-data");
  const rows = read("plan-data");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print");
  const format = new Intl.NumberFormat(shared.locale, { maximumSignificantDigits: 3 });
  const font = getComputedStyle(document.body).fontFamily;
  const axes = new Map(data.axes.map((axis) => [axis.column, axis]));
  const metrics = new Map(data.metrics.map((metric) => [metric.column, metric]));
  const front = new Set(data.front);
  const hidden = new Map(data.axes.map((axis) => [axis.column, new Set()]));
  const place = document.getElementById("sweep-chart");
  const chart = echarts.init(place, null, { renderer: "svg" });
  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => "&#" + c.charCodeAt(0) + ";");
  const choice = (name) => document.getElementById("sweep-" + name);

  const at = (axis, row) => axis.values.findIndex((value) => value[0] === row[axis.column]);
  const text = (axis, row) => axis.values[at(axis, row)][1];
  const number = (column, row) => (axes.has(column) ? at(axes.get(column), row) : row[column] / metrics.get(column).scale);
  const shown = () => rows.map((row, index) => ({ row, index })).filter(({ row }) =>
    row.status === "ok" && data.axes.every((axis) => !hidden.get(axis.column).has(at(axis, row))));

  /* Colours: steps of a palette for the values of an axis, a scale from low to high for a metric. */
  function mix(share) {
    const last = data.heat.length - 1;
    const low = Math.min(Math.floor(share * last), last - 1);
    const part = share * last - low;
    const channel = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
    const mixed = [0, 1, 2].map((i) => Math.round(channel(data.heat[low], i) * (1 - part) + channel(data.heat[low + 1], i) * part));
    return "#" + mixed.map((value) => value.toString(16).padStart(2, "0")).join("");
  }
  function colouring(column, listed) {
    if (axes.has(column)) {
      const axis = axes.get(column);
      const used = axis.values.map((value, i) => i).filter((i) => listed.some(({ row }) => at(axis, row) === i));
      const of = (i) => (axis.values.length <= data.series.length ? data.series[i] : mix(i / (axis.values.length - 1)));
      return { of: (row) => of(at(axis, row)), legend: used.map((i) => [of(i), axis.values[i][1]]) };
    }
    const values = listed.map(({ row }) => number(column, row));
    const low = Math.min(...values);
    const high = Math.max(...values);
    const of = (value) => mix(high > low ? (value - low) / (high - low) : 1);
    const marks = high > low ? [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low)) : values.slice(0, 1);
    return { of: (row) => of(number(column, row)), legend: marks.map((value) => [of(value), format.format(value)]) };
  }

  const line = (name, value) => '<div style="display:flex;gap:1.5em;justify-content:space-between"><span>' + escape(name) + "</span><b>" + escape(value) + "</b></div>";
  const tip = ({ row }) => data.axes.map((axis) => line(axis.name, text(axis, row))).join("")
    + '<div style="margin:0.3em 0">' + escape(row.layout) + "</div>"
    + data.metrics.filter((metric) => row[metric.column] !== null).map((metric) => line(metric.name, format.format(number(metric.column, row)))).join("");

  function scale(column, listed, colours, across) {
    const style = {
      axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: colours.soft, hideOverlap: true },
      nameTextStyle: { color: colours.soft }, splitLine: { lineStyle: { color: colours.line } },
      name: (axes.get(column) || metrics.get(column)).name,
    };
    if (across) Object.assign(style, { nameLocation: "middle", nameGap: 28 });
    else style.nameTextStyle.align = "left";
    if (axes.has(column)) return Object.assign(style, { type: "category", data: axes.get(column).values.map((value) => value[1]) });
    const values = listed.map(({ row }) => number(column, row));
    const wide = Math.max(...values) > 20 * Math.min(...values);
    return Object.assign(style, wide ? { type: "log" } : { type: "value", scale: true });
  }
  function points(listed, x, y, colour, colours) {
    const joined = axes.has(x) && !axes.has(y);
    const groups = new Map();
    for (const item of listed) {
      const others = data.axes.filter((axis) => axis.column !== x);
      const key = joined ? others.map((axis) => at(axis, item.row)).join(" ") : "all";
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(item);
    }
    const list = Array.from(groups.values(), (items) => items.sort((a, b) => number(x, a.row) - number(x, b.row)));
    return list.map((items) => ({
      type: joined ? "line" : "scatter", symbol: "circle", showSymbol: true,
      lineStyle: { width: 1, opacity: 0.5, color: axes.has(colour) ? colours.of(items[0].row) : colours.plain },
      data: items.map((item) => ({
        value: [number(x, item.row), number(y, item.row)], item, symbolSize: front.has(item.index) ? 13 : 9,
        itemStyle: { color: colours.of(item.row), opacity: 0.9, borderColor: colours.ink, borderWidth: front.has(item.index) ? 2 : 0 },
      })),
    }));
  }
  function cells(listed, x, y, colour, colours, width, height) {
    const metric = metrics.get(colour) || data.metrics[0];
    const best = new Map();
    for (const item of listed) {
      const key = at(axes.get(x), item.row) + " " + at(axes.get(y), item.row);
      const rival = best.get(key);
      const sign = metric.better === "high" ? 1 : -1;
      if (!rival || sign * (number(metric.column, item.row) - number(metric.column, rival.row)) > 0) best.set(key, item);
    }
    const chosen = Array.from(best.values());
    const paint = colouring(metric.column, chosen);
    const size = [width / axes.get(x).values.length - 3, height / axes.get(y).values.length - 3];
    return { legend: paint.legend, series: [{
      type: "scatter", symbol: "rect", symbolSize: size,
      label: { show: size[0] > 40 && size[1] > 14, color: colours.ink, formatter: (p) => format.format(number(metric.column, p.data.item.row)) },
      data: chosen.map((item) => {
        const fill = paint.of(item.row);
        const [r, g, b] = [1, 3, 5].map((i) => (parseInt(fill.slice(i, i + 2), 16) / 255) ** 2.2);
        return { value: [number(x, item.row), number(y, item.row)], item, itemStyle: { color: fill, opacity: 1 },
          label: { color: 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#1c2733" : "#ffffff" } };
      }),
    }] };
  }

  function draw() {
    const theme = shared.colours[dark.matches && !paper.matches ? "dark" : "light"];
    const [x, y, colour] = ["x", "y", "colour"].map((name) => choice(name).value);
    const all = shown();
    const listed = all.filter(({ row }) => [x, y, colour].every((column) => axes.has(column) || row[column] !== null));
    const count = choice("count");
    count.textContent = count.dataset.words.replace("%shown%", listed.length).replace("%total%", rows.length);
    let legend = [];
    const option = {
      animation: false, textStyle: { fontFamily: font, color: theme.ink },
      title: { show: !listed.length, text: data.nothing, left: "center", top: "middle", textStyle: { color: theme.soft, fontWeight: 400, fontSize: 14 } },
      grid: { left: 16, right: 28, top: 34, bottom: 34, containLabel: true },
      tooltip: { trigger: "item", confine: true, backgroundColor: theme.raised, borderColor: theme.line, textStyle: { color: theme.ink, fontSize: 13 }, formatter: (p) => tip(p.data.item) },
      series: [],
    };
    if (listed.length) {
      option.xAxis = scale(x, listed, theme, true);
      option.yAxis = scale(y, listed, theme, false);
      if (axes.has(x) && axes.has(y)) {
        const heat = cells(listed, x, y, colour, theme, place.clientWidth - 110, place.clientHeight - 90);
        option.series = heat.series;
        legend = [["", (metrics.get(colour) || data.metrics[0]).name], ...heat.legend];
      } else {
        const paint = colouring(colour, listed);
        option.series = points(listed, x, y, colour, { of: paint.of, ink: theme.ink, plain: theme.soft });
        legend = [["", (axes.get(colour) || metrics.get(colour)).name], ...paint.legend];
      }
    }
    chart.setOption(option, true);
    choice("legend").innerHTML = legend.map(([fill, name]) =>
      "<li>" + (fill ? '<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="2" fill="' + fill + '"/></svg> ' : "") + escape(name) + "</li>").join("");
  }

  for (const name of ["x", "y", "colour"]) {
    for (const one of [...data.axes, ...data.metrics]) choice(name).append(new Option(one.name, one.column, false, one.column === data.start[name]));
    choice(name).addEventListener("change", draw);
  }
  for (const axis of data.axes) {
    const box = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = axis.name;
    box.append(legend);
    axis.values.forEach(([, name], index) => {
      const label = document.createElement("label");
      const tick = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
      tick.addEventListener("change", () => {
        hidden.get(axis.column)[tick.checked ? "delete" : "add"](index);
        draw();
      });
      label.append(tick, " " + name);
      box.append(label);
    });
    choice("filters").append(box);
  }
  let waiting = 0;
  window.addEventListener("resize", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => { chart.resize(); draw(); }, 120);
  });
  dark.addEventListener("change", draw);
  paper.addEventListener("change", draw);
  draw();
})();
