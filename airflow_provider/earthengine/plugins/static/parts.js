// The parts that the tabs are made of, with Airflow's own React.
const { createElement: h, useEffect, useState } = globalThis.React;
const BASE = new URL(".", import.meta.url);

// Airflow's theme, light or dark; what follows a comma is for an Airflow that names it otherwise.
const color = (name, otherwise) => `var(--chakra-colors-${name}, ${otherwise})`;
export const FG = color("fg", "inherit");
const MUTED = color("fg-muted", "inherit");
export const LINE = color("border-emphasized", "currentColor");
export const PANEL = color("bg-subtle", "transparent");
export const WARNING = color("border-warning", "#b45309");
const CHECKS =
  "repeating-conic-gradient(rgba(128, 128, 128, .35) 0% 25%, transparent 0% 50%) 0 / 16px 16px";

export const CELL = {
  borderBottom: `1px solid ${LINE}`,
  padding: "4px 12px 4px 0",
  textAlign: "start",
};
export const NUMBER = { ...CELL, fontVariantNumeric: "tabular-nums", textAlign: "end" };
export const LINK = { color: "inherit", textDecoration: "underline" };
export const BUTTON = {
  background: "transparent",
  border: `1px solid ${LINE}`,
  borderRadius: 4,
  color: "inherit",
  cursor: "pointer",
  minHeight: 28,
  padding: "2px 10px",
};

export const list = (value) => (Array.isArray(value) ? value : []);
export const object = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};

// Whatever a value is, a text that React draws.
export const text = (value) => {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
};

export const number = (value, digits = 6) =>
  typeof value === "number"
    ? value.toLocaleString("en", { maximumSignificantDigits: Math.max(digits, 1) })
    : text(value);

export const count = (value) => (typeof value === "number" ? value.toLocaleString("en") : text(value));

export const bytes = (value) => {
  if (typeof value !== "number") return text(value);
  const power = Math.min(4, Math.floor(Math.log2(Math.max(value, 1)) / 10));
  const unit = ["B", "KiB", "MiB", "GiB", "TiB"][power];
  return `${(value / 1024 ** power).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
};

export function useAnswer(path) {
  const [state, setState] = useState({ path: null });
  useEffect(() => {
    const stop = new AbortController();
    fetch(new URL(path, BASE), { credentials: "same-origin", signal: stop.signal })
      .then(async (answer) => {
        if (answer.ok) return { answer: await answer.json() };
        return { status: answer.status };
      })
      .catch((error) => (error.name === "AbortError" ? null : { status: 0 }))
      .then((found) => found && setState({ path, ...found }));
    return () => stop.abort();
  }, [path]);
  return state.path === path ? state : { isWaiting: true };
}

export function Note({ children }) {
  return h("p", { role: "status", style: { color: FG, padding: 16 } }, children);
}

export function refusal(status) {
  if (status === 401 || status === 403) return "You may not read the XCom of this DAG.";
  return "What the task left could not be read; load the page again.";
}

export function Section({ title, children }) {
  return h(
    "section",
    { style: { marginTop: 20, minWidth: 0 } },
    h("h2", { style: { fontSize: 16, fontWeight: 600, marginBottom: 6 } }, title),
    children,
  );
}

export function Copy({ value, what }) {
  const [said, setSaid] = useState("");
  const copy = () =>
    navigator.clipboard
      ? navigator.clipboard.writeText(value).then(
          () => setSaid("Copied"),
          () => setSaid("Not copied"),
        )
      : setSaid("Not copied");
  return h(
    "span",
    { style: { whiteSpace: "nowrap" } },
    h(
      "button",
      { "aria-label": `Copy ${what}`, onClick: copy, style: BUTTON, type: "button" },
      "Copy",
    ),
    h("span", { role: "status", style: { color: MUTED, marginInlineStart: 8 } }, said),
  );
}

export function Table({ caption, heads, rows }) {
  return h(
    "div",
    // A wide table scrolls by itself, for keyboards too.
    { "aria-label": caption, role: "region", style: { overflowX: "auto" }, tabIndex: 0 },
    h(
      "table",
      { style: { borderCollapse: "collapse", fontSize: 14, width: "100%" } },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          heads.map(([name, style]) =>
            h("th", { key: name, scope: "col", style: { ...style, fontWeight: 600 } }, name),
          ),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((cells, row) =>
          h(
            "tr",
            { key: row },
            cells.map((cell, column) => h("td", { key: column, style: heads[column][1] }, cell)),
          ),
        ),
      ),
    ),
  );
}

export function Picture({ source, name, side }) {
  const [size, setSize] = useState(null);
  if (!source) {
    const style = {
      alignItems: "center",
      background: PANEL,
      border: `1px dashed ${LINE}`,
      color: FG,
      display: "flex",
      height: side,
      justifyContent: "center",
      maxWidth: "100%",
      width: side,
    };
    return h("div", { style }, "No picture");
  }
  const scale = size ? side / Math.max(size.width, size.height) : 0;
  const style = {
    background: CHECKS,
    height: "auto",
    // Few pixels are shown as pixels.
    imageRendering: scale > 1.5 ? "pixelated" : "auto",
    maxWidth: "100%",
    minHeight: 1,
    width: size ? Math.max(1, size.width * scale) : side,
  };
  const measure = ({ currentTarget: image }) =>
    setSize({ height: image.naturalHeight, width: image.naturalWidth });
  return h("img", { alt: `Quick-look of ${name}`, onLoad: measure, src: source, style });
}

export function Facts({ rows }) {
  return h(
    "dl",
    {
      style: {
        columnGap: 16,
        display: "grid",
        fontSize: 14,
        gridTemplateColumns: "max-content 1fr",
        rowGap: 2,
      },
    },
    rows.flatMap(([name, value]) => [
      h("dt", { key: name, style: { fontWeight: 600 } }, name),
      h("dd", { key: `${name}=`, style: { overflowWrap: "anywhere" } }, value),
    ]),
  );
}
