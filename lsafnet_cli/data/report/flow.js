// From what into what: classes before at the left, after at the right, joined by bands as wide as the ground that changed.
const FLOW = { width: 400, bar: 10, height: 220, slot: 17, gap: 5, letters: 28 };

function amountOf(one) {
  return one.area_ha === null ? one.pixels : one.area_ha;
}

function totalText(value) {
  const known = data.transitions[0].area_ha !== null;
  return known ? `${value.toLocaleString("en", { maximumFractionDigits: 2 })} ha` : `${value.toLocaleString("en")} px`;
}

/** The classes at one side, in the legend's order, each with its place: top and height. */
function flowNodes(flows, side, total) {
  const sums = new Map();
  for (const one of flows) sums.set(one[side], (sums.get(one[side]) || 0) + amountOf(one));
  let top = 0;
  return new Map([...sums].sort(([a], [b]) => a - b).map(([number, sum]) => {
    const height = Math.max(2, FLOW.height * sum / total);
    const slot = Math.max(height, FLOW.slot);
    const node = { sum, height, top: top + (slot - height) / 2, used: 0 };
    top += slot + FLOW.gap;
    return [number, node];
  }));
}

function drawNodes(picture, nodes, left) {
  for (const [number, node] of nodes) {
    const { name, color } = data.classes[number];
    const x = left ? 0 : FLOW.width - FLOW.bar;
    picture.append(drawn("rect", { x, y: node.top, width: FLOW.bar, height: node.height, fill: `rgb(${color.join(",")})`, class: "node" }));
    const room = FLOW.letters - totalText(node.sum).length;
    const short = name.length > room ? `${name.slice(0, room - 1)}…` : name;
    const place = { x: left ? FLOW.bar + 5 : x - 5, y: node.top + node.height / 2, "text-anchor": left ? "start" : "end", "dominant-baseline": "central" };
    const label = drawn("text", place);
    label.append(`${short} `, drawn("tspan", { class: "sum" }, totalText(node.sum)));
    label.append(drawn("title", {}, `${name}: ${totalText(node.sum)}`));
    picture.append(label);
  }
}

function flowBand(one, from, to, total) {
  const width = Math.max(0.5, FLOW.height * amountOf(one) / total);
  const left = from.top + from.used, right = to.top + to.used;
  from.used += width;
  to.used += width;
  const start = FLOW.bar, end = FLOW.width - FLOW.bar, middle = FLOW.width / 2;
  const path = `M${start},${left} C${middle},${left} ${middle},${right} ${end},${right} v${width} ` +
    `C${middle},${right + width} ${middle},${left + width} ${start},${left + width} z`;
  const band = drawn("path", { d: path, fill: `rgb(${one.color.join(",")})`, class: "flow", "data-code": one.code });
  band.append(drawn("title", {}, `${one.name}: ${one.amount}`));
  return band;
}

function drawFlows(section) {
  const flows = data.transitions.filter((one) => one.from !== null && amountOf(one) > 0);
  if (!flows.length) return;
  const total = flows.reduce((sum, one) => sum + amountOf(one), 0);
  const from = flowNodes(flows, "from", total), to = flowNodes(flows, "to", total);
  const height = Math.max(...[...from.values(), ...to.values()].map((node) => node.top + node.height)) + 8;
  const picture = drawn("svg", { viewBox: `0 -8 ${FLOW.width} ${height + 8}`, role: "img", "aria-labelledby": "flow-title flow-text" });
  picture.append(
    drawn("title", { id: "flow-title" }, "From what into what"),
    drawn("desc", { id: "flow-text" }, flows.map((one) => `${one.name}: ${one.amount}`).join("; ")),
  );
  const ordered = [...flows].sort((one, other) => one.from - other.from || one.to - other.to);
  picture.append(...ordered.map((one) => flowBand(one, from.get(one.from), to.get(one.to), total)));
  drawNodes(picture, from, true);
  drawNodes(picture, to, false);
  const sides = document.createElement("p");
  sides.className = "sides";
  for (const word of ["before", "after"]) sides.append(Object.assign(document.createElement("span"), { textContent: word }));
  section.append(sides, picture);
  section.hidden = false;
}
