/* Everything that the page does: charts, sorting, filtering, download, print. */
"use strict";
(function () {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print");
  const narrow = 560; // px of chart width below which labels shrink
  const format = new Intl.NumberFormat(data.locale, { maximumSignificantDigits: 3 });
  const font = getComputedStyle(document.body).fontFamily;
  const drawn = new Map();

  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => "&#" + c.charCodeAt(0) + ";");
  /* Black or white, whichever is easier to read on a colour (relative luminance). */
  const textOn = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => (parseInt(hex.slice(at, at + 2), 16) / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#1c2733" : "#ffffff";
  };

  /* Charts: one function per kind, from the values of charts.py to an ECharts option. */
  function base(colours) {
    return {
      animation: false,
      textStyle: { fontFamily: font, color: colours.ink },
      tooltip: { backgroundColor: colours.raised, borderColor: colours.line, confine: true, textStyle: { color: colours.ink, fontSize: 13 } },
    };
  }
  function axis(colours, extra) {
    return Object.assign({
      axisLine: { show: false }, axisTick: { show: false },
      axisLabel: { color: colours.soft, hideOverlap: true }, nameTextStyle: { color: colours.soft },
      splitLine: { lineStyle: { color: colours.line } },
    }, extra);
  }
  function line(marker, name, value) {
    return '<div style="display:flex;gap:1.5em;justify-content:space-between"><span>' + marker + escape(name) + "</span><b>" + value + "</b></div>";
  }
  function stackTip(unit, names) {
    return (items) => {
      const shown = items.filter((i) => i.value > 0 && i.seriesType === "bar");
      if (!shown.length) return "";
      const total = shown.reduce((sum, i) => sum + i.value, 0);
      return line("", names ? names[shown[0].dataIndex] : shown[0].name, format.format(total) + " " + unit)
        + shown.map((i) => line(i.marker, i.seriesName, format.format(i.value))).join("");
    };
  }
  function bars(chart, colours, horizontal, plotWidth) {
    const totals = chart.rows.map((_, row) => chart.series.reduce((sum, s) => sum + s.values[row], 0));
    const longest = Math.max(...totals);
    return chart.series.map((s) => ({
      name: s.name, type: "bar", stack: "all", barMaxWidth: horizontal ? 34 : 46, data: s.values,
      itemStyle: s.colour === "outline"
        ? { color: "transparent", borderColor: colours.soft, borderWidth: 1.2, borderType: "dashed" }
        : { color: s.colour, borderColor: colours.paper, borderWidth: 0.6 },
      emphasis: { disabled: true },
      label: {
        show: horizontal, color: s.colour === "outline" ? colours.soft : textOn(s.colour), fontSize: 11,
        textBorderWidth: 0,
        formatter: (p) => (p.value / longest * plotWidth > 32 ? format.format(p.value) : ""),
      },
    }));
  }
  const kinds = {
    step(chart, colours, width) {
      const left = width < narrow ? 84 : 140;
      return {
        tooltip: { trigger: "axis", axisPointer: { type: "none" }, formatter: stackTip(chart.unit) },
        grid: { left: left, right: 16, top: 4, bottom: 42 },
        xAxis: axis(colours, { type: "value", max: chart.most, name: chart.axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, {
          type: "category", inverse: true, data: chart.rows,
          axisLabel: { color: colours.ink, width: width < narrow ? 78 : 130, overflow: "break" },
        }),
        series: bars(chart, colours, true, 0.85 * (width - left)),
      };
    },
    memory(chart, colours) {
      const series = bars(chart, colours, false, 0);
      series[0].markLine = {
        silent: true, symbol: "none", animation: false,
        lineStyle: { color: colours.bad, type: "solid", width: 1.5 },
        label: { position: "insideEndTop", color: colours.bad, formatter: chart.capacity_name + " " + format.format(chart.capacity) },
        data: [{ yAxis: chart.capacity }],
      };
      const highest = Math.max(chart.capacity, ...chart.rows.map((_, i) => chart.series.reduce((sum, s) => sum + s.values[i], 0)));
      return {
        tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, formatter: stackTip(chart.axis, chart.row_names) },
        grid: { left: 44, right: 12, top: 28, bottom: 42 },
        xAxis: axis(colours, { type: "category", data: chart.rows, name: chart.stage_axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, { type: "value", name: chart.axis, max: highest * 1.08, axisLabel: { color: colours.soft, showMaxLabel: false }, splitLine: { showMaxLine: false, lineStyle: { color: colours.line } } }),
        series: series,
      };
    },
    pareto(chart, colours) {
      return {
        tooltip: {
          trigger: "item",
          formatter: (p) => "<b>" + escape(p.data.name) + "</b>" + line("", p.seriesName, "")
            + line("", chart.axis, format.format(p.value[0])) + line("", chart.headroom_axis, format.format(p.value[1])),
        },
        legend: { type: "scroll", bottom: 0, left: "center", textStyle: { color: colours.soft }, itemWidth: 10, itemHeight: 10, show: chart.series.length > 1 },
        grid: { left: 48, right: 24, top: 30, bottom: chart.series.length > 1 ? 68 : 42 },
        xAxis: axis(colours, { type: "value", scale: true, name: chart.axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, { type: "value", scale: true, name: chart.headroom_axis, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] } }),
        series: chart.series.map((s) => ({
          name: s.name, type: "scatter", color: s.colour, emphasis: { scale: 1.3 },
          data: s.points.map((p) => ({
            name: p.name, value: p.value, symbolSize: p.best ? 17 : 10,
            itemStyle: p.best ? { borderColor: colours.ink, borderWidth: 2 } : { opacity: 0.85 },
          })),
        })),
      };
    },
    /* Fronts: a line of points per kind of deployment; those that no other kind beats are ringed. */
    front(chart, colours, width) {
      const promised = chart.promised === null ? [] : [{ xAxis: chart.promised }];
      return {
        tooltip: {
          trigger: "item",
          formatter: (p) => "<b>" + escape(p.data.name) + "</b>" + line(p.marker, p.seriesName, "")
            + line("", chart.axis, format.format(p.value[0])) + line("", chart.gpu_axis, format.format(p.value[1]))
            + p.data.told.map((t) => line("", t[0], escape(t[1]))).join(""),
        },
        legend: { type: "scroll", bottom: 0, left: "center", textStyle: { color: colours.soft }, itemWidth: 16, itemHeight: 8 },
        grid: { left: width < narrow ? 46 : 56, right: 24, top: 30, bottom: 68 },
        xAxis: axis(colours, { type: "value", name: chart.axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, { type: "value", name: chart.gpu_axis, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] } }),
        series: chart.series.map((s, index) => ({
          name: s.name, type: "line", color: s.colour, emphasis: { scale: 1.3 }, lineStyle: { width: 1.4, opacity: 0.7 },
          symbol: "circle", showAllSymbol: true,
          markLine: index ? undefined : {
            silent: true, symbol: "none", animation: false, data: promised,
            lineStyle: { color: colours.bad, type: "dashed", width: 1.2 },
            label: { color: colours.bad, formatter: chart.promised_name, position: "end" },
          },
          data: s.points.map((p) => ({
            name: p.name, value: p.value, told: p.told, symbolSize: p.best ? 12 : 7,
            itemStyle: p.best ? { borderColor: colours.ink, borderWidth: 1.6 } : {},
          })),
        })),
      };
    },
    /* Lines over a share; what they are held against lies across. */
    lines(chart, colours, width) {
      const across = chart.across === null ? [] : [{ yAxis: chart.across }];
      return {
        tooltip: {
          trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.soft } },
          formatter: (items) => line("", chart.axis, format.format(items[0].value[0]))
            + items.map((i) => line(i.marker, i.seriesName, format.format(i.value[1]))).join(""),
        },
        legend: { type: "scroll", bottom: 0, left: "center", textStyle: { color: colours.soft }, itemWidth: 16, itemHeight: 8 },
        grid: { left: width < narrow ? 46 : 56, right: 24, top: 30, bottom: 68 },
        xAxis: axis(colours, { type: "value", min: 0, max: 100, name: chart.axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, { type: "value", min: 0, name: chart.value_axis, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] } }),
        series: chart.series.map((s, index) => ({
          name: s.name, type: "line", color: s.colour, symbolSize: 5, data: s.points, emphasis: { scale: 1.3 },
          markLine: index ? undefined : {
            silent: true, symbol: "none", animation: false, precision: 9, data: across,
            lineStyle: { color: colours.ink, type: "dashed", width: 1.2 },
            label: { color: colours.ink, formatter: chart.across_name, position: "insideEndTop" },
          },
        })),
      };
    },
    /* How many requests took at most so long; a promise lies across in time and in share. */
    distribution(chart, colours, width) {
      const promised = chart.promised === null ? [] : [
        { xAxis: chart.promised, label: { formatter: chart.promised_name + " " + format.format(chart.promised) + " " + chart.unit } },
        { yAxis: chart.percentile, label: { formatter: "p" + format.format(chart.percentile) } },
      ];
      const power = (value, round) => 10 ** round(Math.log10(value));
      return {
        tooltip: {
          trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.soft } },
          formatter: (items) => line(items[0].marker, chart.name, format.format(items[0].value[0]) + " " + chart.unit)
            + line("", chart.share_axis, format.format(items[0].value[1])),
        },
        grid: { left: width < narrow ? 40 : 48, right: 48, top: 52, bottom: 46 },
        xAxis: axis(colours, Object.assign(
          { name: chart.axis, nameLocation: "middle", nameGap: 26, axisLabel: { color: colours.soft, hideOverlap: true, formatter: (v) => format.format(v) } },
          chart.logarithmic
            ? { type: "log", min: power(chart.least, Math.floor), max: power(chart.most, Math.ceil) }
            : { type: "value", min: 0, max: (v) => (v.max < chart.most ? 1.1 * chart.most : null) },
        )),
        yAxis: axis(colours, { type: "value", min: 0, max: 100, name: chart.share_axis, nameGap: 30, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] } }),
        series: [{
          name: chart.name, type: "line", color: chart.colour, showSymbol: false, data: chart.points, lineStyle: { width: 2 },
          areaStyle: { opacity: 0.08 },
          markLine: {
            silent: true, symbol: "none", animation: false, precision: 9, data: promised,
            lineStyle: { color: colours.bad, type: "dashed", width: 1.2 }, label: { color: colours.bad, position: "end" },
          },
        }],
      };
    },
    /* Shares beyond each time, a line for each group, both on logarithmic axes: what is rare shows. */
    beyond(chart, colours, width) {
      return {
        tooltip: {
          trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.soft } },
          formatter: (items) => line("", chart.axis, format.format(items[0].value[0]))
            + items.map((i) => line(i.marker, i.seriesName, format.format(i.value[1]) + " %")).join(""),
        },
        legend: { type: "scroll", bottom: 0, left: "center", textStyle: { color: colours.soft }, itemWidth: 16, itemHeight: 8 },
        grid: { left: width < narrow ? 40 : 48, right: 24, top: 30, bottom: 68 },
        xAxis: axis(colours, {
          type: "log", min: chart.least, max: chart.most, name: chart.axis, nameLocation: "middle", nameGap: 26,
          axisLabel: { color: colours.soft, hideOverlap: true, formatter: (v) => format.format(v) },
        }),
        yAxis: axis(colours, {
          type: "log", min: chart.rarest, max: 100, name: chart.share_axis, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] },
          axisLabel: { color: colours.soft, formatter: (v) => format.format(v) },
        }),
        series: chart.series.map((s) => ({
          name: s.name, type: "line", color: s.colour, symbolSize: 4, data: s.points, lineStyle: { width: 1.8 }, emphasis: { disabled: true },
        })),
      };
    },
    /* Numbers that change from one moment to the next. */
    over_time(chart, colours, width) {
      return {
        tooltip: {
          trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.soft } },
          formatter: (items) => line("", chart.time_axis, format.format(items[0].value[0]))
            + items.map((i) => line(i.marker, i.seriesName, format.format(i.value[1]))).join(""),
        },
        legend: { type: "scroll", bottom: 0, left: "center", textStyle: { color: colours.soft }, itemWidth: 16, itemHeight: 8 },
        grid: { left: width < narrow ? 46 : 56, right: 24, top: 30, bottom: 68 },
        xAxis: axis(colours, { type: "value", min: 0, max: chart.end, name: chart.time_axis, nameLocation: "middle", nameGap: 26, axisLabel: { color: colours.soft, hideOverlap: true, showMaxLabel: false } }),
        yAxis: axis(colours, { type: "value", min: 0, minInterval: 1, name: chart.axis, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] } }),
        series: chart.series.map((s) => ({
          name: s.name, type: "line", step: "end", color: s.colour, showSymbol: false, data: s.points, lineStyle: { width: 1.5 },
        })),
      };
    },
    /* Groups of columns side by side. */
    columns(chart, colours, width) {
      return {
        tooltip: {
          trigger: "axis", axisPointer: { type: "shadow" },
          formatter: (items) => line("", items[0].name, "")
            + items.filter((i) => i.value !== null && i.value !== undefined).map((i) => line(i.marker, i.seriesName, format.format(i.value) + " " + chart.unit)).join(""),
        },
        legend: { type: "scroll", bottom: 0, left: "center", textStyle: { color: colours.soft }, itemWidth: 12, itemHeight: 10 },
        grid: { left: width < narrow ? 40 : 48, right: 16, top: 30, bottom: 68 },
        xAxis: axis(colours, { type: "category", data: chart.rows, name: chart.axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, { type: "value", min: 0, max: chart.most, name: chart.value_axis, nameTextStyle: { align: "left", color: colours.soft, padding: [0, 0, 0, -36] } }),
        series: chart.series.map((s) => ({
          name: s.name, type: "bar", barMaxWidth: 34, data: s.values, itemStyle: { color: s.colour }, emphasis: { disabled: true },
        })),
      };
    },
    sensitivity(chart, colours, width) {
      return {
        tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, formatter: (items) => line("", items[0].name, format.format(items[0].value) + " %") },
        grid: { left: width < narrow ? 112 : 170, right: 48, top: 4, bottom: 42 },
        xAxis: axis(colours, { type: "value", name: chart.axis, nameLocation: "middle", nameGap: 26 }),
        yAxis: axis(colours, { type: "category", data: chart.rows, axisLabel: { color: colours.ink, interval: 0, width: width < narrow ? 106 : 165, overflow: "break" } }),
        series: [{
          type: "bar", barMaxWidth: 18, data: chart.values, itemStyle: { color: chart.colour }, emphasis: { disabled: true },
          label: { show: true, position: "right", color: colours.soft, formatter: (p) => format.format(p.value) },
        }],
      };
    },
  };
  /* A timeline: thick lines as operations, transfers between rows, and activations beneath. */
  kinds.timeline = (chart, colours, width) => {
    const left = 52, right = 14, top = 8, rows = chart.stages.length * chart.row_px;
    const time = (x) => {
      const at = chart.windows.filter((w) => w[0] <= x).pop() || chart.windows[0];
      return at[1] + x - at[0];
    };
    const lines = chart.kinds.flatMap((kind, k) => [0, 1].map((odd) => ({
      name: kind.name, type: "line", showSymbol: false, silent: true, animation: false, emphasis: { disabled: true }, z: 3,
      lineStyle: { width: chart.row_px - 3, color: kind.colours[odd], cap: "butt", join: "bevel" },
      data: chart.segments.flatMap((row, stage) => row.filter((s) => s[2] === k && s[6] === odd && !s[5])
        .flatMap((s) => [[s[0], stage], [s[1], stage], [s[1], null]])),
    })));
    // Operations that go together share a row, one above the other.
    const halves = chart.kinds.flatMap((kind, k) => [0, 1].map((odd) => ({
      name: kind.name, type: "line", showSymbol: false, silent: true, animation: false, emphasis: { disabled: true }, z: 3,
      lineStyle: { width: (chart.row_px - 3) / 2, color: kind.colours[odd], cap: "butt" },
      yAxisIndex: 2,
      data: chart.segments.flatMap((row, stage) => row.filter((s) => s[2] === k && s[6] === odd && s[5])
        .flatMap((s) => [[s[0], stage + (s[5] === 1 ? 0.29 : 0.71)], [s[1], stage + (s[5] === 1 ? 0.29 : 0.71)], [s[1], null]])),
    }))).filter((s) => s.data.length);
    const cuts = chart.windows.slice(1).map((w, i) => ({
      xAxis: w[0], label: { show: true, formatter: chart.cuts[i], position: "insideEndTop", color: colours.ink, backgroundColor: colours.raised, padding: [1, 4], fontSize: 11 },
    }));
    const mark = { silent: true, symbol: "none", animation: false, precision: 9, lineStyle: { color: colours.ink, type: "dashed", width: 1.2 }, data: cuts };
    const xAxis = (grid, extra) => axis(colours, Object.assign({
      type: "value", gridIndex: grid, min: 0, max: chart.end, axisPointer: { label: { show: false } },
    }, extra));
    const label = { color: colours.soft, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (x) => format.format(time(x)) };
    return {
      tooltip: { trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.soft } }, formatter: (items) => told(chart, items, time) },
      axisPointer: { link: [{ xAxisIndex: "all" }] },
      grid: [
        { left: left, right: right, top: top, height: rows },
        { left: left, right: right, top: top + rows + 26, height: chart.memory_px },
      ],
      legend: {
        bottom: 46, left: "center", type: "scroll", itemWidth: 14, itemHeight: 3, textStyle: { color: colours.soft },
        data: chart.memory.map((m) => m.name),
      },
      dataZoom: [
        { type: "inside", xAxisIndex: [0, 1], filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
        { type: "slider", xAxisIndex: [0, 1], filterMode: "none", bottom: 10, height: 22, showDetail: false, brushSelect: false, showDataShadow: false, borderColor: colours.line, textStyle: { color: colours.soft } },
      ],
      xAxis: [
        xAxis(0, { axisLabel: { show: false }, splitLine: { show: false } }),
        xAxis(1, { name: chart.axis, nameLocation: "middle", nameGap: 24, axisLabel: label }),
      ],
      yAxis: [
        axis(colours, { type: "category", inverse: true, data: chart.stages, splitLine: { show: false }, axisLabel: { color: colours.soft, fontSize: Math.min(12, chart.row_px), interval: chart.row_px < 12 ? 3 : 0 } }),
        axis(colours, { type: "value", gridIndex: 1, name: chart.memory_axis, nameTextStyle: { color: colours.soft, align: "left", padding: [0, 0, -4, -40] } }),
        { type: "value", inverse: true, min: 0, max: chart.stages.length, show: false },
      ],
      series: [
        ...lines, ...halves,
        {
          type: "line", showSymbol: false, silent: true, animation: false, z: 4, yAxisIndex: 2, tooltip: { show: false },
          lineStyle: { width: 0.8, color: colours.paper },
          data: chart.segments.flatMap((row, stage) => row.flatMap((s) => [[s[0], stage + 0.08], [s[0], stage + 0.92], [s[0], null]])),
        },
        {
          name: chart.transfer.name, type: "line", showSymbol: false, silent: true, animation: false, z: 2,
          lineStyle: { width: 1, color: chart.transfer.colour, opacity: 0.6 }, markLine: mark,
          data: chart.transfers.flatMap((s) => [[s[0], s[1]], [s[2], s[3]], [s[2], null]]),
        },
        ...chart.memory.map((m) => ({
          name: m.name, type: "line", step: "end", showSymbol: false, animation: false, xAxisIndex: 1, yAxisIndex: 1,
          lineStyle: { width: 1.6, color: m.colour }, itemStyle: { color: m.colour }, data: m.points,
        })),
        {
          id: "numbers", type: "scatter", symbolSize: 0, silent: true, animation: false, z: 5, yAxisIndex: 2,
          data: numbers(chart, 0, chart.end, width - left - right),
          label: { show: true, fontSize: Math.min(11, chart.row_px - 5), color: "#1c2733", formatter: (p) => p.data.name },
        },
      ],
    };
  };
  /* Micro-batch numbers where there is room for them. */
  function numbers(chart, from, to, plotWidth) {
    if (chart.row_px < 13) return [];
    const px = plotWidth / (to - from);
    const fits = (s) => (Math.min(s[1], to) - Math.max(s[0], from)) * px > 7 * String(s[3]).length + 3;
    const found = chart.segments.flatMap((row, stage) => row.filter((s) => s[1] > from && s[0] < to && fits(s) && s[5] < 1)
      .map((s) => ({ name: String(s[3]), value: [(Math.max(s[0], from) + Math.min(s[1], to)) / 2, stage + 0.5] })));
    return found.length > 3000 ? [] : found;
  }
  /* What runs on the stage under the pointer. */
  function told(chart, items, time) {
    if (!items.length || !chart.pointer) return "";
    const x = items[0].axisValue, stage = Math.floor(chart.pointer[1]);
    const row = chart.segments[stage];
    if (!row) return line("", chart.axis, format.format(time(x)))
      + items.filter((i) => i.seriesName && chart.memory.some((m) => m.name === i.seriesName)).map((i) => line(i.marker, i.seriesName, format.format(i.value[1]))).join("");
    const at = chart.pointer[0];
    return "<b>" + escape(chart.stage_axis + " " + chart.stages[stage]) + "</b>"
      + row.filter((s) => s[0] <= at && s[1] > at).map((s) => line("", chart.kinds[s[2]].name, "") + line("", chart.micro_batch, s[3]) + line("", chart.chunk, s[4])
        + line("", chart.axis, format.format(time(s[0])) + " – " + format.format(time(s[0]) + s[1] - s[0]))).join("");
  }
  function follow(instance, chart, place) {
    instance.getZr().on("mousemove", (event) => {
      chart.pointer = instance.convertFromPixel({ xAxisIndex: 0, yAxisIndex: 2 }, [event.offsetX, event.offsetY]);
    });
    instance.on("datazoom", () => {
      const zoom = instance.getOption().dataZoom[0];
      instance.setOption({ series: [{ id: "numbers", data: numbers(chart, zoom.startValue, zoom.endValue, place.clientWidth - 66) }] });
    });
  }
  function draw(id, colours) {
    const place = document.getElementById(id);
    const chart = data.charts[id];
    const option = kinds[chart.kind](chart, colours, place.clientWidth);
    option.tooltip = Object.assign(base(colours).tooltip, option.tooltip);
    if (!drawn.has(id)) {
      drawn.set(id, echarts.init(place, null, { renderer: "svg" }));
      if (chart.kind === "timeline") follow(drawn.get(id), chart, place);
    }
    drawn.get(id).setOption(Object.assign(base(colours), option), true);
  }
  function drawAll(name) {
    for (const id of Object.keys(data.charts)) draw(id, data.colours[name]);
  }
  const theme = () => (dark.matches && !paper.matches ? "dark" : "light"); // paper is always light
  function redraw() {
    for (const chart of drawn.values()) chart.resize();
    drawAll(theme());
  }
  drawAll(theme());
  dark.addEventListener("change", redraw);
  paper.addEventListener("change", redraw);
  let waiting = 0;
  window.addEventListener("resize", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(redraw, 120);
  });

  /* Tables: sort by a head's button, filter by text and by key. */
  function value(row, column, kind) {
    const cell = row.cells[column];
    if (kind !== "number") return cell ? cell.textContent.trim() : "";
    const raw = cell ? cell.dataset.value : undefined;
    return raw === undefined || raw === "" ? null : Number(raw);
  }
  function sort(button) {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const kind = button.dataset.sort;
    const compare = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null); // absent values always last
      const order = kind === "number" ? a - b : a.localeCompare(b, data.locale, { numeric: true });
      return down ? -order : order;
    };
    const column = head.cellIndex;
    const rows = Array.from(body.rows, (row) => [value(row, column, kind), row]);
    rows.sort((a, b) => compare(a[0], b[0]));
    body.append(...rows.map((r) => r[1]));
  }
  function filter(id) {
    const words = document.querySelector('[data-filter="' + id + '"]').value.toLowerCase().split(/\s+/).filter(Boolean);
    const select = document.querySelector('[data-select="' + id + '"]');
    const key = select ? select.value : "";
    const rows = document.getElementById(id).tBodies[0].rows;
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const keep = words.every((w) => text.includes(w)) && (!key || row.dataset.keys.split(" ").includes(key));
      row.hidden = !keep;
      shown += keep;
    }
    const count = document.querySelector('[data-count="' + id + '"]');
    count.textContent = count.dataset.words.replace("%shown%", shown).replace("%total%", rows.length);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-sort]");
    if (button) sort(button);
  });
  document.addEventListener("input", (event) => {
    const id = event.target.dataset.filter || event.target.dataset.select;
    if (id) filter(id);
  });

  /* Download and print. */
  document.getElementById("download").addEventListener("click", (event) => {
    const plan = JSON.parse(document.getElementById("plan-data").textContent);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(plan, null, 2) + "\n"], { type: "application/json" }));
    link.download = event.target.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  document.getElementById("print").addEventListener("click", () => window.print());

  /* The section in view is marked in the bar. */
  const links = new Map(Array.from(document.querySelectorAll(".bar a"), (a) => [a.hash.slice(1), a]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-30% 0px -65% 0px" });
  for (const id of links.keys()) watch.observe(document.getElementById(id));
})();
