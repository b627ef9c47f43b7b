// The page itself: the map under its swipe handle, the legend with its switches, the facts.
const bounds = L.latLngBounds([[-rows, 0], [0, cols]]);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const map = L.map("map", {
  crs: L.CRS.Simple, minZoom: -coarsest - 2, maxZoom: 5, zoomSnap: 0.25, zoomDelta: 1, attributionControl: false,
  zoomAnimation: !calm, fadeAnimation: false, keyboardPanDelta: 120,
});
const byId = (id) => document.getElementById(id);
map.fitBounds(bounds);

function addLayer(name, place, paint) {
  const pane = map.createPane(name);
  pane.style.zIndex = 210 + place;
  const options = { pane: name, bounds, tileSize: TILE, minNativeZoom: -coarsest, maxNativeZoom: -finest, minZoom: -50, maxZoom: 50, keepBuffer: 1 };
  return { pane, layer: new PaintedLayer(paint, options) };
}

const layers = [
  ...(data.dates ? [addLayer("before", 0, paintDate(BEFORE)), addLayer("after", 1, paintDate(AFTER))] : []),
  addLayer("change", 2, paintMap),
];
const change = layers.at(-1);
const loaded = layers.map(({ layer }) => new Promise((resolve) => layer.once("load", resolve)));
for (const { layer } of layers) layer.addTo(map);

function sharpen() {
  map.getContainer().classList.toggle("over", map.getZoom() > -finest);
}
map.on("zoomend", sharpen);
sharpen();

async function repaint() {
  await change.layer.repaint();
  document.body.dataset.painted = Number(document.body.dataset.painted || 0) + 1;
}

function addSwipe(pane) {
  const handle = made("div", "swipe", made("span", "grip"), made("span", "date left", "before"), made("span", "date right", "after"));
  handle.id = "swipe";
  handle.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": "before | after", "aria-valuemin": 0, "aria-valuemax": 100 })) handle.setAttribute(name, value);
  let share = 50;
  // a pane has no size of its own: the polygon's pixels count from its origin
  const clip = () => {
    const corner = map.containerPointToLayerPoint([0, 0]);
    const end = map.containerPointToLayerPoint(map.getSize());
    const edge = corner.x + (end.x - corner.x) * share / 100;
    pane.style.clipPath =
      `polygon(${edge}px ${corner.y}px, ${end.x}px ${corner.y}px, ${end.x}px ${end.y}px, ${edge}px ${end.y}px)`;
  };
  const move = (to) => {
    share = Math.min(100, Math.max(0, to));
    handle.style.left = `${share}%`;
    handle.setAttribute("aria-valuenow", Math.round(share));
    handle.setAttribute("aria-valuetext", `${Math.round(share)} % before`);
    clip();
  };
  handle.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -20, PageUp: 20, Home: -100, End: 100 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    move(share + steps[event.key]);
  });
  const grip = handle.firstChild;
  grip.addEventListener("pointerdown", (event) => {
    grip.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    event.preventDefault();
  });
  grip.addEventListener("pointermove", (event) => {
    if (!grip.hasPointerCapture(event.pointerId)) return;
    const box = map.getContainer().getBoundingClientRect();
    move(100 * (event.clientX - box.left) / box.width);
  });
  L.DomEvent.disableClickPropagation(handle);
  map.getContainer().append(handle);
  map.on("move zoom zoomend viewreset resize", clip);
  move(50);
}
if (data.dates) addSwipe(layers[1].pane);

const opacity = byId("opacity");
const fade = () => { change.pane.style.opacity = opacity.value / 100; };
opacity.addEventListener("input", fade);
fade();

let outline = null;
function fly([top, left, bottom, right]) {
  const place = L.latLngBounds([[-bottom, left], [-top, right]]);
  outline?.remove();
  outline = L.layerGroup([["#000", 5], ["#fff", 2]].map(([color, weight]) =>
    L.rectangle(place, { fill: false, color, weight, opacity: 1, interactive: false, className: "outline" }))).addTo(map);
  const around = place.pad(0.5);
  if (calm) map.fitBounds(around, { maxZoom: 3, animate: false });
  else map.flyToBounds(around, { maxZoom: 3, duration: 0.8 });
  byId("map").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

/** Longitude and latitude of a pixel position, between the four nodes around it. */
function degreesAt(row, col) {
  const table = data.place;
  const down = row / rows * (table.rows - 1), across = col / cols * (table.cols - 1);
  const top = Math.min(Math.max(Math.floor(down), 0), table.rows - 2);
  const left = Math.min(Math.max(Math.floor(across), 0), table.cols - 2);
  const mix = (values) => {
    const [a, b, c, d] = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([y, x]) => values[(top + y) * table.cols + left + x]);
    if ([a, b, c, d].includes(null)) return null;
    const y = down - top, x = across - left;
    return (a * (1 - x) + b * x) * (1 - y) + (c * (1 - x) + d * x) * y;
  };
  const lon = mix(table.lon), lat = mix(table.lat);
  return lon === null ? null : [((lon + 180) % 360 + 360) % 360 - 180, lat];
}

function placeText(row, col) {
  const [a, b, c, d, e, f] = data.transform;
  const x = a * col + b * row + c, y = d * col + e * row + f;
  const parts = [data.crs ? `${x.toFixed(data.digits)}, ${y.toFixed(data.digits)} (${data.crs})` : `column ${Math.floor(col)}, row ${Math.floor(row)}`];
  const degrees = data.place && degreesAt(row, col);
  if (degrees) parts.push(`longitude ${degrees[0].toFixed(6)}, latitude ${degrees[1].toFixed(6)}`);
  return parts;
}

function codeText({ code, percent }) {
  const names = new Map(data.transitions.map((one) => [one.code, one.name]));
  const name = code === data.nodata.code ? "no data" : names.get(code) || data.classes[0].name;
  return percent === null ? name : `${name}, probability of change about ${percent.toFixed(0)} %`;
}

let asked = 0;
async function tellPlace(event) {
  const col = event.latlng.lng, row = -event.latlng.lat, mine = ++asked;
  const parts = placeText(row, col);
  if (row >= 0 && col >= 0 && row < rows && col < cols) parts.push(codeText(await numbersAt(row, col)));
  if (mine === asked) byId("place").textContent = parts.join(" · ");
}
map.on("mousemove click", tellPlace);

function tellCentre() {
  if (byId("map").matches(":focus-visible")) tellPlace({ latlng: map.getCenter() });
}
map.on("moveend", tellCentre);
byId("map").addEventListener("focus", tellCentre);

function legendRow(entry, share) {
  const row = byId("transitions").tBodies[0].insertRow();
  row.dataset.code = entry.code;
  const box = made("input");
  box.type = "checkbox";
  box.checked = true;
  box.id = `shown-${entry.code}`;
  box.addEventListener("change", () => { setShown(row, box.checked); repaint(); });
  const label = made("label", "", swatch(entry.color), entry.name);
  label.htmlFor = box.id;
  row.insertCell().append(box);
  row.insertCell().append(label);
  const area = row.insertCell();
  area.className = "area";
  area.textContent = entry.amount;
  area.dataset.ha = entry.area_ha;
  const bars = row.insertCell();
  bars.className = "bars";
  if (share === null) return;
  const bar = made("div", "bar");
  bar.style.width = `${100 * share}%`;
  bars.append(bar);
}

function setShown(row, shown) {
  row.querySelector("input").checked = shown;
  const code = Number(row.dataset.code);
  if (shown) view.hidden.delete(code); else view.hidden.add(code);
  for (const band of document.querySelectorAll(`.flow[data-code="${code}"]`)) band.classList.toggle("off", !shown);
}

function setAllShown(shown) {
  for (const row of byId("transitions").tBodies[0].rows) setShown(row, shown);
  repaint();
}

function buildLegend() {
  const most = Math.max(...data.transitions.map((one) => one.pixels), 1);
  for (const one of data.transitions) legendRow(one, one.pixels / most);
  if (data.nodata.pixels) legendRow({ ...data.nodata, name: "no data" }, null);
  byId("all").addEventListener("click", () => setAllShown(true));
  byId("none").addEventListener("click", () => setAllShown(false));
}

function buildViews() {
  byId("views").hidden = !data.probability;
  if (!data.probability) return;
  const colors = data.probability.map(([percent, color]) => `rgb(${color.join(",")}${percent ? "" : ",0"}) ${percent}%`);
  byId("ramp").querySelector(".colors").style.background = `linear-gradient(to right, ${colors.join(", ")})`;
  byId("views").addEventListener("change", (event) => {
    view.probability = event.target.value === "probability";
    byId("ramp").hidden = !view.probability;
    repaint();
  });
}

byId("totals").textContent = data.totals;
const whole = data.levels.indexOf(true);
if (whole > 0) {
  const [height, width] = [rows, cols].map((side) => Math.ceil(side / 2 ** whole).toLocaleString("en"));
  data.facts.splice(1, 0, ["shown here", `all of it in ${width} x ${height} pixels; finer only where most has changed`]);
}
for (const list of ["facts", "options"]) {
  for (const [name, value] of data[list]) byId(list).append(made("dt", "", name), made("dd", "", value));
}
byId("more").hidden = !data.options.length;
buildLegend();
buildViews();
drawFlows(byId("flows"));
const drawCards = buildCards(byId("cards"), fly);
Promise.all(loaded).then(drawCards).then(() => { document.body.dataset.ready = "yes"; });
