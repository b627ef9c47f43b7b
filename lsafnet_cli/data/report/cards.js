// Cards: single changes worth a look; each flies to its place.
const CUT_PX = 96, ROOM = 0.25, LEAST_PX = 64;

/** The square that a card shows: its box with some room around. */
function squareAround([top, left, bottom, right]) {
  const half = Math.max(LEAST_PX, (1 + 2 * ROOM) * Math.max(bottom - top, right - left)) / 2;
  const row = (top + bottom) / 2, col = (left + right) / 2;
  return [row - half, col - half, row + half, col + half];
}

function cutOut(square, paint, smooth, name) {
  const canvas = made("canvas");
  canvas.width = canvas.height = CUT_PX;
  canvas.title = name;
  return { canvas, draw: () => paintBox(canvas, square, paint, smooth) };
}

function makeCard(card, fly, drawings) {
  const transition = data.transitions.find((one) => one.code === card.code);
  const square = squareAround(card.box);
  const cuts = [
    ...(data.dates ? [cutOut(square, paintDate(BEFORE), true, "before"), cutOut(square, paintDate(AFTER), true, "after")] : []),
    cutOut(square, paintMap, false, "map"),
  ];
  drawings.push(async () => {
    for (const cut of cuts) await cut.draw();
    const mask = await maskOf(card, square, CUT_PX);
    for (const cut of cuts) drawBorder(cut.canvas, mask);
  });
  const sure = card.confidence === null ? "" : `, confidence\u00a0${(100 * card.confidence).toFixed(0)}\u00a0%`;
  const button = made("button", "card",
    made("span", "cuts", ...cuts.map((cut) => cut.canvas)),
    made("span", "name", swatch(transition.color), transition.name),
    made("span", "amount", card.amount + sure));
  button.type = "button";
  if (card.id !== null) {
    button.dataset.id = card.id;
    button.append(made("span", "status"));
  }
  button.dataset.box = card.box.join(",");
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll(".card[aria-current]")) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    fly(card.box);
  });
  return button;
}

function addCards(section, kind, title, cards, fly, drawings, without) {
  if (!cards.length && !without) return;
  const group = made("div", "group", made("h2", "", title));
  group.id = kind;
  const known = cards.filter((card) => palette.has(card.code));
  if (known.length) group.append(made("div", "row", ...known.map((card) => makeCard(card, fly, drawings))));
  else group.append(made("p", "quiet", without));
  section.append(group);
}

/** Build the rows of cards; return what draws their cut-outs, one after the other. */
function buildCards(section, fly) {
  const { largest, of_each: ofEach, least_certain: leastCertain, missing } = data.cards;
  const drawings = [];
  addCards(section, "largest", "Largest changes", largest, fly, drawings, "");
  addCards(section, "of-each", "Largest of other transitions", ofEach, fly, drawings, "");
  if (largest.length) {
    addCards(section, "least-certain", "Least certain changes", leastCertain, fly, drawings, `Not shown: ${missing}.`);
  }
  return async () => {
    for (const draw of drawings) await draw();
  };
}
