// The page itself: the map under its swipe handle, its switches, and everything set up.
const layers = [
  ...(data.dates ? [addLayer("before", 0, paintDate(BEFORE)), addLayer("after", 1, paintDate(AFTER))] : []),
  addLayer("change", 2, paintMap),
  addLayer("edges", 3, paintEdges),
];
const [change, edges] = layers.slice(-2);
const loaded = layers.map(({ layer }) => new Promise((resolve) => layer.once("load", resolve)));
for (const { layer } of layers) layer.addTo(map);

async function repaint() {
  await Promise.all([change.layer.repaint(), edges.layer.repaint()]);
  document.body.dataset.painted = Number(document.body.dataset.painted || 0) + 1;
}

function addSwipe(pane) {
  const [left, right] = ["before", "after"].map((word, index) => data.days[index] ? `${word} · ${data.days[index]}` : word);
  const handle = made("div", "swipe", made("span", "grip"), made("span", "date left", left), made("span", "date right", right));
  handle.id = "swipe";
  handle.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": `${left} | ${right}`, "aria-valuemin": 0, "aria-valuemax": 100 })) handle.setAttribute(name, value);
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
  map.on("blink", () => move(share > 50 ? 0 : 100));
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

/** Keys and buttons: the whole of one date and then of the other; the changes away and back. */
function buildSwitches() {
  const blink = () => map.fire("blink");
  const hide = () => {
    const hidden = byId("hide").getAttribute("aria-pressed") !== "true";
    byId("hide").setAttribute("aria-pressed", hidden);
    for (const { pane } of [change, edges]) pane.style.visibility = hidden ? "hidden" : "";
  };
  byId("blink").hidden = !data.dates;
  byId("blink").addEventListener("click", blink);
  byId("hide").addEventListener("click", hide);
  byId("styles").addEventListener("change", (event) => {
    view.outline = event.target.value === "outline";
    change.pane.style.display = view.outline ? "none" : "";
    repaint();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "b" && data.dates) blink();
    if (event.key === "h") hide();
  });
}

function preparePrint() {
  document.body.classList.add("printing");
  fitAll();
}

function endPrint() {
  document.body.classList.remove("printing");
  fitAll();
}

fitAll();
buildHead();
buildFacts();
buildLegend();
buildBalances();
buildViews();
buildSwitches();
buildDownloads();
watchPlace();
addScale();
addLocator();
drawFlows(byId("flows"));
window.addEventListener("beforeprint", preparePrint);
window.addEventListener("afterprint", endPrint);
const drawCards = buildCards(byId("cards"), fly);
buildVerdicts();
Promise.all(loaded).then(drawCards).then(() => { document.body.dataset.ready = "yes"; });
