// Shows the numbers of a chart beside the pointer.  The page says everything without it.
"use strict";
for (const figure of document.querySelectorAll("figure.chart")) {
  const data = figure.querySelector("script[type='application/json']");
  const drawing = figure.querySelector(".plot > svg");
  if (!data || !drawing) continue;
  const chart = JSON.parse(data.textContent);
  // A browser would show the title as a second tooltip; a reader of screens finds it in the label, too.
  drawing.setAttribute("aria-label", chartTitle(drawing));
  const guide = document.createElementNS(drawing.namespaceURI, "path");
  guide.setAttribute("class", "guide");
  const tip = document.createElement("div");
  tip.className = "tip";
  const hide = () => { guide.remove(); tip.remove(); };

  drawing.addEventListener("pointerleave", hide);
  drawing.addEventListener("pointermove", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse()).x;
    const near = chart.series.map((series) => nearest(series.at, at));
    const places = near.map((index, of) => chart.series[of].at[index]).filter((place) => place !== undefined);
    if (!places.length) return hide();
    const x = places.reduce((best, place) => (Math.abs(place - at) < Math.abs(best - at) ? place : best));
    guide.setAttribute("d", `M${x} 30V258`);
    drawing.append(guide);
    tip.replaceChildren();
    near.forEach((index, of) => {
      const series = chart.series[of];
      if (index < 0 || Math.abs(series.at[index] - x) > 24) return;
      if (!tip.firstChild) tip.append(element("b", `${series.x[index]} ${chart.x}`.trim()));
      const name = element("i", series.name || chart.y);
      name.className = series.look;
      const row = element("span", "");
      row.append(name, element("span", series.y[index]));
      tip.append(row);
    });
    figure.append(tip);
    const box = figure.getBoundingClientRect();
    const left = event.clientX - box.left;
    tip.style.left = `${Math.max(4, left > box.width / 2 ? left - tip.offsetWidth - 14 : left + 14)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY - box.top - 20, box.height - tip.offsetHeight - 4))}px`;
  });
}

function chartTitle(drawing) {
  const title = drawing.querySelector("title");
  const text = title.textContent;
  title.remove();
  return text;
}

function nearest(places, at) {
  let low = 0, high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle + 1] - at <= at - places[middle]) low = middle + 1; else high = middle;
  }
  return high;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
