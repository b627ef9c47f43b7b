// Verdicts on the changes of the cards: by buttons and keys, kept in this browser where it allows that, saved as JSON.
const STATES = ["open", "accepted", "rejected", "corrected"];
const KEPT_AS = `lsafnet verdicts ${data.map.sha256}`;
const verdicts = new Map(); // by the card's id: { status, corrected_to }

function verdictOf(id) {
  return verdicts.get(id) || { status: "open", corrected_to: null };
}

function isClass(name) {
  return data.classes.slice(1).some((one) => one.name === name);
}

/** What this browser has kept of an earlier look at the same map; nothing where it keeps nothing, or something else. */
function recallVerdicts() {
  try {
    for (const [id, status, from, to] of JSON.parse(localStorage.getItem(KEPT_AS)) || []) {
      const target = status === "corrected" ? { from, to } : null;
      if (Number.isInteger(id) && STATES.includes(status) && (!target || (isClass(from) && isClass(to)))) {
        verdicts.set(id, { status, corrected_to: target });
      }
    }
  } catch { /* no storage here: verdicts last as long as the page is open */ }
}

function keepVerdicts() {
  const rows = [...verdicts].map(([id, { status, corrected_to: target }]) => [id, status, target?.from, target?.to]);
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify(rows));
  } catch { /* as above */ }
}

/** All cards that the map knows by a pixel, each change once. */
function judgedCards() {
  const all = [...data.cards.largest, ...data.cards.of_each, ...data.cards.least_certain];
  return [...new Map(all.filter((card) => card.id !== null && palette.has(card.code)).map((card) => [card.id, card])).values()];
}

function mapBounds([top, left, bottom, right]) {
  const [a, b, c, d, e, f] = data.transform;
  const corners = [[top, left], [top, right], [bottom, left], [bottom, right]].map(([row, col]) => [a * col + b * row + c, d * col + e * row + f]);
  const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function verdictsText() {
  const className = (number) => number === null ? null : data.classes[number].name;
  const entries = judgedCards().map((card) => {
    const { from, to } = data.transitions.find((one) => one.code === card.code);
    return { id: card.id, bbox: mapBounds(card.box), from: className(from), to: className(to), ...verdictOf(card.id) };
  });
  const about = { name: data.map.name, sha256: data.map.sha256, crs: data.crs };
  return JSON.stringify({ format: "lsafnet verdicts 1", map: about, created: new Date().toISOString(), verdicts: entries }, null, 1);
}

function currentCard() {
  return document.querySelector(".card[aria-current][data-id]");
}

function correctedText({ from, to }) {
  return `corrected: ${from} to ${to}`;
}

/** Show the verdicts on the cards, and the current card's at the map. */
function showVerdicts() {
  const cards = judgedCards(), done = cards.filter((card) => verdictOf(card.id).status !== "open").length;
  for (const card of document.querySelectorAll(".card[data-id]")) {
    const { status, corrected_to: target } = verdictOf(Number(card.dataset.id));
    card.dataset.status = status;
    card.querySelector(".status").textContent = target ? correctedText(target) : status;
  }
  const card = currentCard();
  const status = card ? verdictOf(Number(card.dataset.id)).status : "";
  for (const [name, state] of [["accept", "accepted"], ["reject", "rejected"], ["correct", "corrected"], ["reopen", "open"]]) {
    byId(name).disabled = !card;
    byId(name).setAttribute("aria-pressed", status === state);
  }
  const words = card ? `${card.querySelector(".name").textContent}: ${card.querySelector(".status").textContent}` : "choose a card";
  byId("judged").textContent = `${words} (${done} of ${cards.length} done)`;
}

function judge(status, target = null) {
  const card = currentCard();
  if (!card) return;
  verdicts.set(Number(card.dataset.id), { status, corrected_to: target });
  keepVerdicts();
  if (status !== "corrected") byId("correction").hidden = true;
  showVerdicts();
}

/** Let the right classes of the current change be chosen; until then its verdict stays as it is. */
function askForClasses() {
  const card = currentCard();
  if (!card || !data.semantic) return;
  const known = data.cards.largest.concat(data.cards.of_each, data.cards.least_certain).find((one) => String(one.id) === card.dataset.id);
  const mapped = data.transitions.find((one) => one.code === known.code);
  const { corrected_to: target } = verdictOf(known.id);
  byId("right-from").value = target ? target.from : data.classes[mapped.from].name;
  byId("right-to").value = target ? target.to : data.classes[mapped.to].name;
  byId("correction").hidden = false;
  byId("right-from").focus();
}

function stepCard(by) {
  const cards = [...document.querySelectorAll(".card[data-id]")];
  const at = cards.indexOf(currentCard());
  const next = cards[at < 0 ? (by > 0 ? 0 : cards.length - 1) : at + by];
  if (!next) return;
  next.focus({ preventScroll: true });
  next.click();
}

function buildVerdicts() {
  const none = !judgedCards().length;
  byId("verdict").hidden = none;
  if (none) return;
  recallVerdicts();
  for (const id of ["right-from", "right-to"]) {
    byId(id).append(...data.classes.slice(1).map(({ name }) => Object.assign(made("option", "", name), { value: name })));
    byId(id).addEventListener("change", () => judge("corrected", { from: byId("right-from").value, to: byId("right-to").value }));
    byId(id).addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") currentCard()?.focus({ preventScroll: true });
    });
  }
  byId("correct").hidden = !data.semantic;
  const actions = { a: () => judge("accepted"), r: () => judge("rejected"), c: askForClasses, o: () => judge("open"), j: () => stepCard(1), k: () => stepCard(-1) };
  for (const [name, key] of [["accept", "a"], ["reject", "r"], ["correct", "c"], ["reopen", "o"]]) byId(name).addEventListener("click", actions[key]);
  byId("save-verdicts").addEventListener("click", () => save("verdicts.json", "application/json", verdictsText()));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, textarea, input:not([type=checkbox], [type=radio])")) return;
    const arrow = event.target.closest("#cards") ? { ArrowRight: "j", ArrowDown: "j", ArrowLeft: "k", ArrowUp: "k" }[event.key] : null;
    const action = actions[arrow || event.key];
    if (!action) return;
    event.preventDefault(); // neither scroll, nor choose a class by the letter that asked for it
    action();
  });
  byId("cards").addEventListener("click", () => {
    byId("correction").hidden = true;
    showVerdicts();
  });
  showVerdicts();
}
