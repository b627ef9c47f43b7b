// The map that all layers lie on.
const bounds = L.latLngBounds([[-rows, 0], [0, cols]]);
document.documentElement.style.setProperty("--aspect", Math.min(2.4, Math.max(0.6, cols / rows)));
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const map = L.map("map", {
  crs: L.CRS.Simple, minZoom: -coarsest - 2, maxZoom: 5, zoomSnap: 0.25, zoomDelta: 1, attributionControl: false,
  zoomAnimation: !calm, fadeAnimation: false, keyboardPanDelta: 120,
});
map.fitBounds(bounds);

function addLayer(name, place, paint) {
  const pane = map.createPane(name);
  pane.style.zIndex = 210 + place;
  const options = { pane: name, bounds, tileSize: TILE, minNativeZoom: -coarsest, maxNativeZoom: -finest, minZoom: -50, maxZoom: 50, keepBuffer: 1 };
  return { pane, layer: new PaintedLayer(paint, options) };
}

function sharpen() {
  map.getContainer().classList.toggle("over", map.getZoom() > -finest);
}
map.on("zoomend", sharpen);
sharpen();

/** Show the whole map, at a zoom between the usual steps at which tiles end on whole pixels. */
function fitAll() {
  const step = map.options.zoomSnap;
  map.options.zoomSnap = 0;
  map.invalidateSize({ animate: false });
  const zoom = map.getBoundsZoom(bounds), tiles = Math.min(-finest, Math.max(-coarsest, Math.round(zoom)));
  const side = Math.max(1, Math.floor(TILE * 2 ** (zoom - tiles)));
  map.setView(bounds.getCenter(), tiles + Math.log2(side / TILE), { animate: false });
  map.options.zoomSnap = step;
}
