// Where things are: degrees, what lies under the pointer, scale bar, north, the place on the earth.
const EARTH_M = 6371008.8, BAR_PX = 120;
const rad = (degrees) => degrees * Math.PI / 180;

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
  const degrees = data.place && data.crs !== "EPSG:4326" && degreesAt(row, col);
  if (degrees) parts.push(`longitude ${degrees[0].toFixed(6)}, latitude ${degrees[1].toFixed(6)}`);
  return parts;
}

function nameOf(code) {
  if (code === data.nodata.code) return "no data";
  const found = data.transitions.find((one) => one.code === code);
  return found ? found.name : data.classes[0].name;
}

function codeText({ code, percent }) {
  return percent === null ? nameOf(code) : `${nameOf(code)}, probability of change about ${percent.toFixed(0)} %`;
}

const tip = made("div", "tip");
tip.hidden = true;

/** Say at the pointer what a pixel was, is now, and how sure that is. */
function showTip({ x, y }, { code, percent }) {
  const found = data.transitions.find((one) => one.code === code);
  const words = found && found.from !== null ? [data.classes[found.from].name, " → ", data.classes[found.to].name] : [nameOf(code)];
  tip.replaceChildren(...(found ? [swatch(found.color)] : []), words.join(""), ...(percent === null ? [] : [made("span", "sure", ` ${percent.toFixed(0)} %`)]));
  tip.hidden = false;
  const size = map.getSize();
  tip.style.left = `${Math.min(x + 14, size.x - tip.offsetWidth - 4)}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > size.y ? y - 14 - tip.offsetHeight : y + 18}px`;
}

let asked = 0;
async function tellPlace(event) {
  const col = event.latlng.lng, row = -event.latlng.lat, mine = ++asked;
  const parts = placeText(row, col);
  const inside = row >= 0 && col >= 0 && row < rows && col < cols;
  const numbers = inside && view.layer !== null ? await numbersAt(row, col, view.layer) : null;
  if (mine !== asked) return;
  if (numbers) parts.push(codeText(numbers));
  byId("place").textContent = parts.join(" · ");
  if (numbers && event.containerPoint) showTip(event.containerPoint, numbers);
  else tip.hidden = true;
}

function watchPlace() {
  map.getContainer().append(tip);
  map.on("mousemove click", tellPlace);
  map.on("mouseout movestart zoomstart", () => { asked++; tip.hidden = true; });
  const tellCentre = () => {
    if (byId("map").matches(":focus-visible")) tellPlace({ latlng: map.getCenter() });
  };
  map.on("moveend", tellCentre);
  byId("map").addEventListener("focus", tellCentre);
}

/** Ground metres between two pixel positions, along a great circle; null where there is no place. */
function metresBetween(one, other) {
  const [from, to] = [degreesAt(...one), degreesAt(...other)];
  if (!from || !to) return null;
  const [lat, other_lat] = [rad(from[1]), rad(to[1])];
  const across = Math.sin(rad(to[0] - from[0]) / 2) ** 2 * Math.cos(lat) * Math.cos(other_lat);
  return 2 * EARTH_M * Math.asin(Math.sqrt(Math.sin((other_lat - lat) / 2) ** 2 + across));
}

/** The degrees by which north lies right of the map's top. */
function northAngle() {
  const [low, high] = [degreesAt(rows / 2 + 1, cols / 2), degreesAt(rows / 2 - 1, cols / 2)];
  if (!low || !high) return 0;
  return -Math.atan2((high[0] - low[0]) * Math.cos(rad(low[1])), high[1] - low[1]) * 180 / Math.PI;
}

function roundLength(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return [5, 2, 1].map((one) => one * power).find((one) => one <= metres) || power;
}

/** A scale bar and a north arrow over the map, drawn anew where it moves. */
function addScale() {
  if (!data.place) return;
  const bar = made("div", "scale", made("span", "north", "↑ N"), made("span", "length"));
  bar.id = "scale";
  bar.firstChild.style.transform = `rotate(${northAngle()}deg)`;
  map.getContainer().append(bar);
  const draw = () => {
    const centre = map.getCenter(), row = Math.min(Math.max(-centre.lat, 0), rows), col = Math.min(Math.max(centre.lng, 1), cols - 1);
    const metres = metresBetween([row, col - 1], [row, col + 1]) / 2 / 2 ** map.getZoom();
    bar.hidden = !(metres > 0);
    if (bar.hidden) return;
    const length = roundLength(metres * BAR_PX);
    bar.lastChild.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
    bar.lastChild.style.width = `${length / metres}px`;
    bar.dataset.metres = length;
  };
  map.on("zoomend moveend resize", draw);
  draw();
}

/** The place as words, as a point on the earth, and as a link to its map that opens only when it is clicked. */
function addLocator() {
  const degrees = data.place && degreesAt(rows / 2, cols / 2);
  if (!degrees) return;
  const [lon, lat] = degrees;
  const earth = drawn("svg", { viewBox: "-180 -90 360 160", role: "img", "aria-label": `on the earth: latitude ${lat.toFixed(1)}, longitude ${lon.toFixed(1)}` });
  earth.append(drawn("path", { d: data.world, class: "land" }), drawn("circle", { cx: lon, cy: -lat, r: 9, class: "ring" }), drawn("circle", { cx: lon, cy: -lat, r: 3.5, class: "spot" }));
  byId("locator").append(earth);
  byId("locator").hidden = false;
  const link = byId("osm");
  const aim = () => {
    const centre = map.getCenter();
    const [east, north] = degreesAt(-centre.lat, centre.lng) || degrees;
    const metres = metresBetween([rows / 2, cols / 2 - 1], [rows / 2, cols / 2 + 1]) / 2 / 2 ** map.getZoom();
    const zoom = Math.round(Math.min(19, Math.max(2, Math.log2(156543 * Math.cos(rad(north)) / metres))));
    link.href = `https://www.openstreetmap.org/?mlat=${north.toFixed(5)}&mlon=${east.toFixed(5)}#map=${zoom}/${north.toFixed(5)}/${east.toFixed(5)}`;
  };
  map.on("moveend", aim);
  aim();
  link.hidden = false;
}
