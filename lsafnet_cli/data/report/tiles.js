// The tiles that stand in the page: level/row/column -> [codes, before, after, probability].
const TILE = 256;
const CODES = 0, BEFORE = 1, AFTER = 2, PROBABILITY = 3;
const isOfCodes = (layer) => layer < (data.code_layers ?? 1); // these come first
const KEPT = 600; // decoded pictures, of up to 256 kB each
const data = JSON.parse(document.getElementById("data").textContent);
const tiles = JSON.parse(document.getElementById("tiles").textContent);
const [rows, cols] = data.shape;
const coarsest = data.levels.length - 1;
const finest = Math.min(...Object.keys(tiles).filter(Boolean).map((key) => Number(key.split("/")[0])));
const view = { probability: false, outline: false, hidden: new Set(), layer: CODES };
const decoded = new Map();

function remembered(key, make) {
  const found = decoded.get(key) || make();
  decoded.delete(key); // what was used last is kept longest
  decoded.set(key, found);
  if (decoded.size > KEPT) decoded.delete(decoded.keys().next().value);
  return found;
}

/** The tile at a place, or the part of a coarser one where that place is not embedded: its key, x, y and size. */
function findTile(level, row, col) {
  for (let up = 0; level + up <= coarsest; up++) {
    const key = `${level + up}/${row >> up}/${col >> up}`;
    if (!tiles[key]) continue;
    const size = TILE / 2 ** up;
    return { key, size, x: (col % 2 ** up) * size, y: (row % 2 ** up) * size };
  }
  return null;
}

function pictureOf(key, layer) {
  return remembered(`${key}/${layer}`, async () => {
    const picture = new Image();
    picture.src = `data:image/${isOfCodes(layer) ? "png" : "jpeg"};base64,${tiles[key][layer]}`;
    await picture.decode();
    return picture;
  });
}

/** The numbers of a tile's codes or probability: (x, y) => number; two bytes of a code lie in red and green. */
function numbersOf(key, layer) {
  const stored = tiles[key][layer];
  if (typeof stored === "number") return () => stored;
  return remembered(`${key}/${layer}/numbers`, async () => {
    const picture = await pictureOf(key, layer);
    const { width, height } = picture;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    const bytes = pen.getImageData(0, 0, width, height).data;
    const wide = isOfCodes(layer) && data.nodata.code > 255;
    return (x, y) => {
      const at = 4 * (Math.min(y, height - 1) * width + Math.min(x, width - 1));
      return wide ? bytes[at] * 256 + bytes[at + 1] : bytes[at];
    };
  });
}

function rgba([red, green, blue], alpha) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The colour of each probability, 0..200 half percents: see-through at 0, opaque from the ramp's second one on. */
function rampColors() {
  const stops = data.probability;
  return Uint32Array.from({ length: 256 }, (_, half) => {
    const percent = Math.min(half / 2, 100);
    const next = Math.max(1, stops.findIndex(([at]) => at >= percent));
    const [[low, from], [high, to]] = [stops[next - 1], stops[next]];
    const share = (percent - low) / (high - low);
    return rgba(from.map((value, band) => Math.round(value + share * (to[band] - value))), Math.min(255, Math.round(255 * percent / stops[1][0])));
  });
}

const ramp = data.probability ? rampColors() : null;
const palette = new Map(data.transitions.map((one) => [one.code, rgba(one.color, 255)]));
palette.set(data.nodata.code, rgba(data.nodata.color, 255));

/** Paint a tile's place in one date. */
function paintDate(layer) {
  return async (canvas, level, row, col) => {
    const found = findTile(level, row, col);
    if (!found) return;
    const picture = await pictureOf(found.key, layer);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, found.x, found.y, found.size, found.size, 0, 0, TILE, TILE);
  };
}

/** The codes at a tile's place, as finely as they are embedded: width, height, at(x, y) and where they were found; null where there is none. */
async function codesOf(level, row, col, layer = CODES) {
  const found = findTile(level, row, col);
  if (!found) return null;
  const code = await numbersOf(found.key, layer);
  const width = Math.min(TILE, Math.ceil(cols / 2 ** level) - col * TILE);
  const height = Math.min(TILE, Math.ceil(rows / 2 ** level) - row * TILE);
  const step = found.size / TILE;
  const within = (numbers) => (x, y) => numbers(Math.floor(found.x + x * step), Math.floor(found.y + y * step));
  return { width, height, at: within(code), within, key: found.key };
}

/** Paint a tile: `color` gives the number of a pixel's colour, 0 where it stays clear. */
function paintPixels(canvas, { width, height }, color) {
  const shown = new ImageData(width, height);
  const pixels = new Uint32Array(shown.data.buffer);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels[y * width + x] = color(x, y);
  }
  canvas.getContext("2d").putImageData(shown, 0, 0);
}

/** Paint a tile's place as the switches have it: transitions, or the probability of change. */
async function paintMap(canvas, level, row, col) {
  const tile = await codesOf(level, row, col);
  if (!tile) return;
  const half = view.probability ? tile.within(await numbersOf(tile.key, PROBABILITY)) : null;
  paintPixels(canvas, tile, (x, y) => {
    const number = tile.at(x, y);
    if (view.hidden.has(number)) return 0;
    if (!half || number === data.nodata.code) return palette.get(number) || 0;
    return view.hidden.size && !palette.has(number) ? 0 : ramp[half(x, y)]; // no halo of what is switched off
  });
}

/** The code and, where at hand, the probability in percent of one of the map's pixels, as fine as they are embedded. */
async function numbersAt(row, col, layer) {
  const found = findTile(0, Math.floor(row / TILE), Math.floor(col / TILE));
  const step = found.size / TILE;
  const x = Math.floor(found.x + (col % TILE) * step), y = Math.floor(found.y + (row % TILE) * step);
  const code = (await numbersOf(found.key, layer))(x, y);
  const percent = ramp && code !== data.nodata.code ? (await numbersOf(found.key, PROBABILITY))(x, y) / 2 : null;
  return { code, percent };
}

/** Paint a box (top, left, bottom, right; in the map's pixels) over a whole canvas. */
async function paintBox(canvas, [top, left, bottom, right], paint, smooth) {
  const scale = canvas.width / (right - left);
  const level = Math.min(coarsest, Math.max(0, Math.floor(-Math.log2(scale))));
  const side = TILE * 2 ** level;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = smooth;
  for (let row = Math.max(0, Math.floor(top / side)); row * side < Math.min(bottom, rows); row++) {
    for (let col = Math.max(0, Math.floor(left / side)); col * side < Math.min(right, cols); col++) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = TILE;
      await paint(tile, level, row, col);
      pen.drawImage(tile, (col * side - left) * scale, (row * side - top) * scale, side * scale, side * scale);
    }
  }
}

/** A layer of the map whose tiles are painted here. */
const PaintedLayer = L.GridLayer.extend({
  initialize(paint, options) {
    L.GridLayer.prototype.initialize.call(this, options);
    this._paint = paint;
    this._shown = new Map();
    this.on("tileunload", (event) => this._shown.delete(event.tile));
  },
  createTile(at, done) {
    const canvas = L.DomUtil.create("canvas", "leaflet-tile");
    canvas.width = canvas.height = TILE;
    this._shown.set(canvas, at);
    this._paint(canvas, -at.z, at.y, at.x).then(() => done(null, canvas), (error) => done(error, canvas));
    return canvas;
  },
  repaint() {
    return Promise.all([...this._shown].map(([canvas, at]) => this._paint(canvas, -at.z, at.y, at.x)));
  },
});
