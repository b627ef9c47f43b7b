// Elements of a page, found and made.
const byId = (id) => document.getElementById(id);

function made(name, kind, ...inside) {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.append(...inside);
  return element;
}

function swatch(color) {
  const square = made("span", "swatch");
  square.style.background = `rgb(${color.join(",")})`;
  return square;
}

function drawn(name, values, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
