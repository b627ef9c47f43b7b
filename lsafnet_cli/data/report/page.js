"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [rows, cols] = data.shape;
  const bounds = L.latLngBounds([[-rows, 0], [0, cols]]);
  const map = L.map("map", { crs: L.CRS.Simple, minZoom: -10, zoomSnap: 0.25, attributionControl: false });
  map.fitBounds(bounds);
  const panes = ["before", "after", "change"].map((name, index) => {
    const pane = map.createPane(name);
    pane.style.zIndex = 210 + index;
    return pane;
  });
  if (data.before) {
    L.imageOverlay(data.before, bounds, { pane: "before" }).addTo(map);
    L.imageOverlay(data.after, bounds, { pane: "after" }).addTo(map);
  }
  const hidden = new Set();
  const colors = new Map(data.transitions.map((one) => [one.code, one.color]));
  const canvas = document.createElement("canvas");
  const overlay = L.imageOverlay("data:,", bounds, { pane: "change" });
  const picture = new Image();
  let codes = null;

  function paint() {
    const pen = canvas.getContext("2d");
    const shown = pen.createImageData(canvas.width, canvas.height);
    for (let at = 0; at < codes.length; at += 4) {
      const code = codes[at] * 256 + codes[at + 1]; // two bytes of a code lie in red and green
      const color = hidden.has(code) ? undefined : colors.get(code);
      if (!color) continue;
      shown.data[at] = color[0];
      shown.data[at + 1] = color[1];
      shown.data[at + 2] = color[2];
      shown.data[at + 3] = 255;
    }
    pen.putImageData(shown, 0, 0);
    overlay.setUrl(canvas.toDataURL()).addTo(map);
  }

  picture.onload = () => {
    canvas.width = picture.width;
    canvas.height = picture.height;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    codes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    paint();
    document.body.dataset.ready = "yes";
  };
  picture.src = data.codes;

  const swipe = document.getElementById("swipe");
  const opacity = document.getElementById("opacity");
  function clip() {
    const corner = map.containerPointToLayerPoint([0, 0]);
    const end = map.containerPointToLayerPoint(map.getSize());
    const edge = corner.x + (end.x - corner.x) * swipe.value / 100;
    panes[1].style.clipPath =
      `polygon(${edge}px ${corner.y}px, ${end.x}px ${corner.y}px, ${end.x}px ${end.y}px, ${edge}px ${end.y}px)`;
  }
  // a pane has no size of its own: the polygon's pixels count from its origin
  swipe.addEventListener("input", clip);
  map.on("move zoom resize", clip);
  opacity.addEventListener("input", () => { panes[2].style.opacity = opacity.value / 100; });
  panes[2].style.opacity = opacity.value / 100;
  clip();

  const [a, b, c, d, e, f] = data.transform;
  map.on("mousemove", (event) => {
    const col = event.latlng.lng, row = -event.latlng.lat;
    const x = a * col + b * row + c, y = d * col + e * row + f;
    document.getElementById("place").textContent = `${x.toFixed(data.digits)}, ${y.toFixed(data.digits)} ${data.crs || "pixels"}`;
  });

  function cell(row, kind, text) {
    const made = row.insertCell();
    made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  const body = document.querySelector("#transitions tbody");
  const most = Math.max(...data.transitions.map((one) => one.pixels), 1);
  for (const one of data.transitions) {
    const row = body.insertRow();
    row.dataset.code = one.code;
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.setAttribute("aria-label", `show ${one.name}`);
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(one.code); else hidden.add(one.code);
      if (codes) paint();
    });
    cell(row, "shown").append(box);
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = `rgb(${one.color.join(",")})`;
    cell(row, "name").append(swatch, one.name);
    cell(row, "area", one.amount).dataset.ha = one.area_ha;
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.style.width = `${100 * one.pixels / most}%`;
    cell(row, "bars").append(bar);
  }
  document.getElementById("totals").textContent = data.totals;
  const facts = document.getElementById("facts");
  for (const [name, value] of data.facts) {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    facts.append(term, text);
  }
})();
