// A series: the image of one date, and over it what changed, at a date that a slider chooses.
const WHEN = 0; // of the layers of codes: then come the maps of the intervals, then the images
const intervalLayer = (date) => date; // the map of the interval that ends at a date
const imageLayer = (date) => data.intervals.length + 1 + date;
const last = data.days.length - 1;
const state = { date: last, when: false };

const colorsOf = (entries, nodata) => new Map([...entries.map((one) => [one.code, rgba(one.color, 255)]), ...nodata.map((one) => [one.code, rgba(one.color, 255)])]);
const whenColors = colorsOf(data.when, data.gaps);
const intervalColors = data.intervals.map((one) => colorsOf(one.transitions, [data.nodata]));

/** What the map shows: its layer of codes, the entries of its legend, their colours. */
function shownChanges() {
  if (state.when) {
    return { layer: WHEN, entries: data.when.filter((one) => one.code <= state.date), gaps: data.gaps, colors: whenColors };
  }
  if (state.date === 0) return null;
  const interval = data.intervals[state.date - 1];
  return { layer: intervalLayer(state.date), entries: interval.transitions, gaps: [data.nodata], colors: intervalColors[state.date - 1] };
}

async function paintImage(canvas, level, row, col) {
  const { date } = state;
  const found = findTile(level, row, col);
  if (!found) return;
  await pictureOf(found.key, imageLayer(date));
  if (date === state.date) await paintDate(imageLayer(date))(canvas, level, row, col); // else a later call paints
}

async function paintChanges(canvas, level, row, col) {
  const { date, when } = state, shown = shownChanges();
  const tile = shown && await codesOf(level, row, col, shown.layer);
  if (date !== state.date || when !== state.when) return;
  if (!tile) {
    canvas.getContext("2d").clearRect(0, 0, TILE, TILE);
    return;
  }
  const visible = new Set([...shown.entries, ...shown.gaps].map((one) => one.code));
  paintPixels(canvas, tile, (x, y) => {
    const number = tile.at(x, y);
    return visible.has(number) ? shown.colors.get(number) : 0;
  });
}

const image = addLayer("image", 0, paintImage), change = addLayer("change", 1, paintChanges);
const loaded = [image, change].map(({ layer }) => new Promise((resolve) => layer.once("load", resolve)));
for (const { layer } of [image, change]) layer.addTo(map);

async function repaint() {
  await Promise.all([image.layer.repaint(), change.layer.repaint()]);
  document.body.dataset.painted = Number(document.body.dataset.painted || 0) + 1;
}

function cellRow(body, first, ...amounts) {
  const row = body.insertRow();
  row.insertCell().append(...[first].flat());
  for (const amount of amounts) {
    const cell = row.insertCell();
    cell.className = "area";
    cell.textContent = amount;
  }
  return row;
}

function showLegend() {
  const shown = shownChanges();
  const body = byId("legend").tBodies[0];
  body.replaceChildren();
  byId("legend-title").textContent = state.when ? `Last changes until ${data.days[state.date]}`
    : state.date ? `Changes from ${data.intervals[state.date - 1].name}` : "Changes";
  const gaps = shown ? shown.gaps.map((one) => shown.layer === WHEN ? one : { ...one, ...data.intervals[state.date - 1].nodata }) : [];
  for (const one of shown ? [...shown.entries, ...gaps.filter((gap) => gap.pixels)] : []) cellRow(body, [swatch(one.color), one.name], one.amount);
  byId("legend").hidden = !body.rows.length;
  byId("legend-none").hidden = body.rows.length > 0;
  for (const row of byId("intervals").tBodies[0].rows) {
    if (Number(row.dataset.date) === state.date) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

/** Tell places.js what the numbers under the pointer mean. */
function tellNames() {
  const shown = shownChanges();
  data.transitions = shown ? [...shown.entries, ...shown.gaps] : [];
  view.layer = shown ? shown.layer : null;
}

function showDate(date) {
  state.date = Math.min(last, Math.max(0, date));
  const slider = byId("date");
  slider.value = state.date;
  slider.setAttribute("aria-valuetext", data.days[state.date]);
  byId("shown-date").textContent = data.days[state.date];
  byId("earlier").disabled = state.date === 0;
  byId("later").disabled = state.date === last;
  tellNames();
  showLegend();
  return repaint();
}

function buildTimeline() {
  byId("date").max = last;
  byId("date").addEventListener("input", (event) => showDate(Number(event.target.value)));
  byId("earlier").addEventListener("click", () => showDate(state.date - 1));
  byId("later").addEventListener("click", () => showDate(state.date + 1));
  byId("views").addEventListener("change", (event) => {
    state.when = event.target.value === "when";
    showDate(state.date);
  });
}

function buildHiding() {
  const opacity = byId("opacity");
  const fade = () => { change.pane.style.opacity = opacity.value / 100; };
  opacity.addEventListener("input", fade);
  fade();
  const hide = () => {
    const hidden = byId("hide").getAttribute("aria-pressed") !== "true";
    byId("hide").setAttribute("aria-pressed", hidden);
    change.pane.style.visibility = hidden ? "hidden" : "";
  };
  byId("hide").addEventListener("click", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "h" && !event.ctrlKey && !event.metaKey && !event.altKey) hide();
  });
}

function buildTables() {
  byId("totals").textContent = `${data.finding}.`;
  byId("consistency").textContent = data.consistency;
  data.intervals.forEach((one, index) => {
    const button = made("button", "", one.name);
    button.type = "button";
    button.addEventListener("click", () => showDate(index + 1));
    cellRow(byId("intervals").tBodies[0], button, one.changed, one.last).dataset.date = index + 1;
  });
  for (const one of data.frequencies) cellRow(byId("frequencies").tBodies[0], one.name, one.amount);
  for (const [name, value] of data.facts) byId("facts").append(made("dt", "", name), made("dd", "", value));
}

buildTables();
buildTimeline();
buildHiding();
fitAll();
watchPlace();
addScale();
addLocator();
showDate(last).then(() => Promise.all(loaded)).then(() => { document.body.dataset.ready = "yes"; });
window.addEventListener("beforeprint", () => { document.body.classList.add("printing"); fitAll(); });
window.addEventListener("afterprint", () => { document.body.classList.remove("printing"); fitAll(); });
