// Borders of what has changed: bright lines with a dark rim, which stand out from dark and from bright images.
const RIM = rgba([0, 0, 0], 170), BRIGHT = 120;

/** A colour as bright as its hue allows, mixed with white where that is still dark. */
function bright(color) {
  const most = Math.max(...color, 1);
  const full = color.map((value) => 255 * value / most);
  const light = 0.3 * full[0] + 0.59 * full[1] + 0.11 * full[2];
  const share = Math.max(0, (BRIGHT - light) / (255 - light));
  return full.map((value) => Math.round(value + share * (255 - value)));
}

const lines = new Map(data.transitions.map((one) => [one.code, rgba(bright(one.color), 255)]));

/** Whether a pixel has a neighbour up to `reach` away of which `differs` says so; what lies beyond the tile is not known. */
function besides({ width, height }, x, y, differs, reach = 1) {
  for (let far = 1; far <= reach; far++) {
    if ((x >= far && differs(x - far, y)) || (x + far < width && differs(x + far, y))) return true;
    if ((y >= far && differs(x, y - far)) || (y + far < height && differs(x, y + far))) return true;
  }
  return false;
}

async function paintEdges(canvas, level, row, col) {
  const tile = await codesOf(level, row, col);
  if (!tile) return;
  const shown = (number) => lines.has(number) && !view.hidden.has(number);
  paintPixels(canvas, tile, (x, y) => {
    if (view.probability) return 0;
    const number = tile.at(x, y);
    if (shown(number)) return besides(tile, x, y, (i, j) => tile.at(i, j) !== number, view.outline ? 2 : 1) ? lines.get(number) : 0;
    return besides(tile, x, y, (i, j) => shown(tile.at(i, j))) ? RIM : 0;
  });
}

function paintCode(wanted) {
  return async (canvas, level, row, col) => {
    const tile = await codesOf(level, row, col);
    if (tile) paintPixels(canvas, tile, (x, y) => tile.at(x, y) === wanted ? rgba([255, 255, 255], 255) : 0);
  };
}

/** Number the connected components of a mask of `side` x `side`; return the mask of the largest. */
function largestPart(mask, side) {
  const label = new Int32Array(mask.length);
  let best = 0, most = 0, count = 0;
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || label[start]) continue;
    const open = [start];
    let size = 0;
    label[start] = ++count;
    while (open.length) {
      const at = open.pop(), x = at % side;
      size++;
      for (const [next, near] of [[at - 1, x > 0], [at + 1, x + 1 < side], [at - side, at >= side], [at + side, at + side < mask.length]]) {
        if (near && mask[next] && !label[next]) {
          label[next] = count;
          open.push(next);
        }
      }
    }
    if (size > most) [best, most] = [count, size];
  }
  return label.map((one) => Number(one === best && best > 0));
}

/** The change of a card as a mask of `side` x `side` pixels over the square that the card shows. */
async function maskOf(card, square, side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  await paintBox(canvas, square, paintCode(card.code), false);
  const bytes = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, side, side).data;
  const scale = side / (square[2] - square[0]);
  const [top, left, bottom, right] = card.box.map((value, index) => (value - square[index % 2]) * scale);
  const inside = (x, y) => y + 1 > top && y < bottom && x + 1 > left && x < right;
  const mask = Uint8Array.from({ length: side * side }, (_, at) => Number(bytes[4 * at + 3] > 127 && inside(at % side, Math.floor(at / side))));
  return largestPart(mask, side);
}

/** Draw the border of a mask over a canvas: white, with a dark rim outside. */
function drawBorder(canvas, mask) {
  const side = canvas.width, size = { width: side, height: side };
  const over = document.createElement("canvas");
  over.width = over.height = side;
  paintPixels(over, size, (x, y) => {
    const here = mask[y * side + x];
    if (!besides(size, x, y, (i, j) => mask[j * side + i] !== here)) return 0;
    return here ? rgba([255, 255, 255], 255) : RIM;
  });
  canvas.getContext("2d").drawImage(over, 0, 0);
}
