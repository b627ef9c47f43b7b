// The legend with its switches, what each class gained and lost, the facts, and what can be saved.
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
  bar.style.background = `rgb(${entry.color.join(",")})`;
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

function buildBalances() {
  const known = data.transitions.length && data.transitions[0].area_ha !== null;
  const number = (value, sign) => value.toLocaleString("en", { minimumFractionDigits: known ? 2 : 0, maximumFractionDigits: known ? 2 : 0, signDisplay: sign });
  for (const one of data.balances) {
    const row = byId("balances").tBodies[0].insertRow();
    row.insertCell().textContent = one.name;
    for (const text of [number(one.gain, "auto"), number(one.loss, "auto"), number(one.net, "exceptZero")]) {
      const cell = row.insertCell();
      cell.className = "area";
      cell.textContent = text;
    }
  }
  byId("balance-unit").textContent = known ? "hectares" : "pixels";
  byId("balance-part").hidden = !data.balances.length;
}

function buildFacts() {
  const whole = data.levels.indexOf(true);
  if (whole > 0) {
    const [height, width] = [rows, cols].map((side) => Math.ceil(side / 2 ** whole).toLocaleString("en"));
    data.facts.splice(2, 0, ["shown here", `all of it in ${width} x ${height} pixels; finer only where most has changed`]);
  }
  for (const list of ["facts", "reliability", "options"]) {
    for (const [name, value] of data[list]) byId(list).append(made("dt", "", name), made("dd", "", value));
  }
  byId("reliability-part").hidden = !data.reliability.length;
  byId("more").hidden = !data.options.length;
}

function buildHead() {
  byId("totals").textContent = `${data.finding}.`;
  byId("balance").textContent = data.balance && `Net: ${data.balance}.`;
  const [kind, text] = data.trust;
  byId("trust").className = kind;
  byId("trust").textContent = text;
}

/** A field of a CSV table; a spreadsheet must not take it for a formula. */
function csvField(value) {
  const text = /^[=+\-@\t]/.test(value) && typeof value === "string" ? `'${value}` : `${value ?? ""}`;
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function tableText() {
  const names = (one, side) => one[side] === null ? "" : data.classes[one[side]].name;
  const lines = data.transitions.map((one) => [one.name, names(one, "from"), names(one, "to"), one.pixels, one.area_ha, (100 * one.share).toFixed(4)]);
  return [["transition", "from", "to", "pixels", "ha", "percent"], ...lines].map((line) => line.map(csvField).join(",") + "\r\n").join("");
}

/** The cards as boxes in WGS 84, each once. */
function cardsText() {
  const all = new Map([...data.cards.largest, ...data.cards.of_each, ...data.cards.least_certain].map((card) => [card.box.join(), card]));
  const features = [...all.values()].map((card) => {
    const [top, left, bottom, right] = card.box;
    const ring = [[bottom, left], [bottom, right], [top, right], [top, left], [bottom, left]].map(([row, col]) => degreesAt(row, col));
    const properties = { transition: nameOf(card.code), amount: card.amount, confidence: card.confidence };
    return { type: "Feature", properties, geometry: ring.includes(null) ? null : { type: "Polygon", coordinates: [ring] } };
  });
  return JSON.stringify({ type: "FeatureCollection", features }, null, 1);
}

function save(name, type, text) {
  const link = made("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function buildDownloads() {
  byId("save-table").addEventListener("click", () => save("changes.csv", "text/csv", tableText()));
  byId("save-cards").addEventListener("click", () => save("changes.geojson", "application/geo+json", cardsText()));
  byId("save-cards").hidden = !data.place || !data.cards.largest.length;
  byId("print").addEventListener("click", () => window.print());
}
