// Where a download is: its footprint on a grid of degrees, and the place on a map of the world.
import { LAND } from "./land.js";
import { FG, PANEL, list, number, object } from "./parts.js";

const { createElement: h } = globalThis.React;
const RED = "#e5484d";
const isNumber = Number.isFinite;

// Polygons as rings of [longitude, latitude]; those west of a crossed antimeridian are moved east.
function ringsOf(footprint, bbox) {
  const { type, coordinates } = object(footprint);
  const polygons = type === "Polygon" ? [coordinates] : type === "MultiPolygon" ? coordinates : [];
  const crosses = bbox[0] > bbox[2];
  const rings = list(polygons)
    .flatMap(list)
    .map((ring) => list(ring).filter((place) => isNumber(list(place)[0]) && isNumber(place[1])))
    .filter((ring) => ring.length > 2)
    .map((ring) => ring.map(([x, y]) => [crosses && x < 0 ? x + 360 : x, y]));
  if (rings.length || bbox.length !== 4) return rings;
  const [west, south, , north] = bbox;
  const east = crosses ? bbox[2] + 360 : bbox[2];
  return [[[west, south], [east, south], [east, north], [west, north]]];
}

const pathOf = (rings) =>
  rings.map((ring) => `M${ring.map(([x, y]) => `${x},${-y}`).join(" ")}Z`).join("");

function multiples(step, low, high) {
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

// About four lines: 1, 2 or 5 times a power of ten, or 30 degrees.
function stepOf(span) {
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => span / each <= 5);
  return Math.min(30, step ?? 30);
}

const degrees = (value, positive, negative, step) => {
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const side = value > 0 ? positive : value < 0 ? negative : "";
  return `${Math.abs(value).toFixed(digits)}°${side}`;
};

function World({ rings, box }) {
  const middle = [(box.west + box.east) / 2, (box.south + box.north) / 2];
  const x = ((((middle[0] + 180) % 360) + 360) % 360) - 180;
  const stroke = { fill: "none", stroke: "currentColor", vectorEffect: "non-scaling-stroke" };
  const lines = [
    ...multiples(30, -180, 180).map((each) => `M${each},-90V90`),
    ...multiples(30, -90, 90).map((each) => `M-180,${-each}H180`),
  ].join("");
  return h(
    "svg",
    {
      "aria-label": `The world, with the place at ${number(middle[1], 4)}, ${number(x, 4)} marked`,
      role: "img",
      style: { background: PANEL, color: FG, height: "auto", maxWidth: "100%", width: 340 },
      viewBox: "-180 -90 360 180",
    },
    h("path", { d: LAND, fill: "currentColor", opacity: 0.3 }),
    h("path", { ...stroke, d: lines, opacity: 0.25, strokeWidth: 1 }),
    h("path", { d: pathOf(rings), fill: RED, opacity: 0.8 }),
    h("circle", { ...stroke, cx: x, cy: -middle[1], r: 6, stroke: RED, strokeWidth: 2.5 }),
  );
}

function Near({ rings, box }) {
  const middle = [(box.west + box.east) / 2, (box.south + box.north) / 2];
  // A degree of longitude is shorter than one of latitude.
  const squeeze = Math.max(0.05, Math.cos((middle[1] * Math.PI) / 180));
  const side = 1.6 * Math.max((box.east - box.west) * squeeze, box.north - box.south, 1e-5);
  const place = ([x, y]) => [
    ((x - middle[0]) * squeeze * 300) / side,
    ((y - middle[1]) * 300) / side,
  ];
  const wide = side / squeeze / 2;
  const stepX = stepOf(2 * wide);
  const stepY = stepOf(side);
  const xs = multiples(stepX, middle[0] - wide, middle[0] + wide);
  const ys = multiples(stepY, middle[1] - side / 2, middle[1] + side / 2);
  const label = { fill: "currentColor", fontSize: 11 };
  const shown = (value) => ((((value + 180) % 360) + 360) % 360) - 180;
  return h(
    "svg",
    {
      "aria-label": "The footprint on a grid of longitudes and latitudes",
      role: "img",
      style: { background: PANEL, color: FG, height: "auto", maxWidth: "100%", width: 340 },
      viewBox: "-170 -150 340 320",
    },
    xs.map((x) => {
      const at = place([x, 0])[0];
      return h(
        "g",
        { key: `x${x}` },
        h("path", { d: `M${at},-150V150`, opacity: 0.35, stroke: "currentColor" }),
        h(
          "text",
          { ...label, textAnchor: "middle", x: at, y: 165 },
          degrees(shown(x), "E", "W", stepX),
        ),
      );
    }),
    ys.map((y) => {
      const at = -place([0, y])[1];
      return h(
        "g",
        { key: `y${y}` },
        h("path", { d: `M-170,${at}H170`, opacity: 0.35, stroke: "currentColor" }),
        h("text", { ...label, x: -166, y: at - 3 }, degrees(y, "N", "S", stepY)),
      );
    }),
    h("path", {
      d: pathOf(rings.map((ring) => ring.map(place))),
      fill: RED,
      fillOpacity: 0.25,
      stroke: RED,
      strokeWidth: 2,
    }),
  );
}

export function Footprint({ footprint, bbox }) {
  const bounds = list(bbox).length === 4 && bbox.every(Number.isFinite) ? bbox : [];
  const rings = ringsOf(footprint, bounds);
  const places = rings.flat();
  if (!places.length) return h("p", null, "It has no place on the globe that is known.");
  const ends = (axis) => {
    const values = places.map((each) => each[axis]);
    return [Math.min(...values), Math.max(...values)];
  };
  const [west, east] = ends(0);
  const [south, north] = ends(1);
  const box = { east, north, south, west };
  return h(
    "div",
    { style: { alignItems: "flex-start", display: "flex", flexWrap: "wrap", gap: 16 } },
    h(Near, { box, rings }),
    h(World, { box, rings }),
  );
}
