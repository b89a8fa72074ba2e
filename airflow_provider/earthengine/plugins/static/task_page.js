// The tabs of Airflow's pages: what a task downloaded, and the pictures of a DAG run.
//
// Airflow imports this module and draws the functions that it leaves on globalThis under the names
// of the tabs. There is no build step. React draws all text as text; the only picture is a data:
// URI, and nothing is fetched but from the server of this module.
import { Footprint } from "./footprint.js";
import {
  BUTTON, CELL, Copy, FG, Facts, LINE, LINK, NUMBER, Note, Picture, Section, Table, WARNING,
  bytes, count, list, number, object, refusal, text, useAnswer,
} from "./parts.js";

const { createElement: h, useState } = globalThis.React;
const PAGE = 48;

function LeftOut({ leftOut, name }) {
  const left = object(leftOut)[name];
  return typeof left === "number" ? h("p", null, `${count(left)} more are in the item.`) : null;
}

function Warnings({ summary }) {
  const masked = list(summary.all_masked).map((name) => `${text(name)}: no pixel is valid.`);
  const said = [...list(summary.warnings).map(text), ...masked];
  if (!said.length) return null;
  return h(
    Section,
    { title: "Warnings" },
    h(
      "ul",
      {
        style: {
          borderInlineStart: `4px solid ${WARNING}`,
          listStyle: "disc inside",
          overflowWrap: "anywhere",
          paddingInlineStart: 12,
        },
      },
      said.map((each, index) => h("li", { key: index }, each)),
    ),
    h(LeftOut, { leftOut: summary.left_out, name: "warnings" }),
  );
}

function Files({ summary }) {
  const rows = list(summary.files).map(object).map((file) => [
    h("span", { style: { overflowWrap: "anywhere" } }, text(file.uri)),
    h(Copy, { value: text(file.uri), what: text(file.uri) }),
    bytes(file.byte_count),
    file.width ? `${count(file.width)} × ${count(file.height)} px` : text(null),
    text(file.crs),
  ]);
  const heads = [
    ["URI", CELL], ["Copy", CELL], ["Size", NUMBER], ["Pixels", NUMBER], ["CRS", CELL],
  ];
  return h(
    Section,
    { title: "Files" },
    h(Table, { caption: "Files", heads, rows }),
    h(LeftOut, { leftOut: summary.left_out, name: "files" }),
    summary.item &&
      h(
        "p",
        { style: { marginTop: 6, overflowWrap: "anywhere" } },
        `STAC item: ${text(summary.item)} `,
        h(Copy, { value: text(summary.item), what: "the URI of the STAC item" }),
      ),
  );
}

function Bands({ summary }) {
  const rows = list(summary.bands).map(object).map((band) => [
    text(band.name),
    text(band.data_type),
    text(band.nodata),
    number(band.minimum),
    number(band.mean),
    number(band.maximum),
    typeof band.valid_percent === "number" ? `${number(band.valid_percent, 4)} %` : text(null),
  ]);
  const heads = [
    ["Band", CELL], ["Type", CELL], ["Nodata", NUMBER], ["Minimum", NUMBER], ["Mean", NUMBER],
    ["Maximum", NUMBER], ["Valid", NUMBER],
  ];
  return h(
    Section,
    { title: "Bands" },
    h(Table, { caption: "Bands", heads, rows }),
    h(LeftOut, { leftOut: summary.left_out, name: "bands" }),
  );
}

function Asked({ summary }) {
  const asked = object(summary.asked);
  const time = object(summary.datetime);
  const params = Object.entries(object(asked.params));
  const rows = [
    ["Image", asked.asset_id ? text(asked.asset_id) : "a computed image"],
    ...(asked.asset_version ? [["Version", text(asked.asset_version)]] : []),
    [
      "Time",
      time.datetime
        ? text(time.datetime)
        : `${text(time.start_datetime)} to ${text(time.end_datetime)}`,
    ],
    ...params.map(([name, value]) => [name, text(value)]),
  ];
  return h(
    Section,
    { title: "What was asked" },
    h(Facts, { rows }),
    h(LeftOut, { leftOut: summary.left_out, name: "params" }),
  );
}

function Cost({ summary }) {
  const rows = [
    ["Published", summary.published_before ? "before; this run fetched nothing" : "by this run"],
    ["Seconds", number(summary.seconds)],
    ...(typeof summary.requests === "number" ? [["Requests", count(summary.requests)]] : []),
    ["Stored", bytes(summary.byte_count)],
  ];
  return h(Section, { title: "What it took" }, h(Facts, { rows }));
}

const LINKS = [
  ["item", "STAC item"],
  ["object", "Object in S3"],
  ["catalog", "Earth Engine catalog"],
];

function Links({ links }) {
  const shown = LINKS.filter(([name]) => /^https?:\/\//.test(object(links)[name] ?? ""));
  if (!shown.length) return null;
  return h(
    "p",
    { style: { display: "flex", flexWrap: "wrap", gap: 16, marginTop: 8 } },
    shown.map(([name, label]) =>
      h(
        "a",
        { href: links[name], key: name, rel: "noopener noreferrer", style: LINK, target: "_blank" },
        label,
      ),
    ),
  );
}

function TaskTab({ dagId, runId, taskId, mapIndex }) {
  const parts = [dagId, "runs", runId, "tasks", taskId, mapIndex ?? -1].map(encodeURIComponent);
  const { answer, isWaiting, status } = useAnswer(`dags/${parts.join("/")}`);
  if (isWaiting) return h(Note, null, "Loading …");
  if (!answer) return h(Note, null, refusal(status));
  const { summary } = answer;
  if (!summary)
    return h(
      Note,
      null,
      "This task has left no download to show, or not yet: only tasks that download from Earth " +
        "Engine do.",
    );
  const name = text(summary.item ?? taskId);
  const isOld = summary.version < 1;
  return h(
    "div",
    { "data-tab": "earthengine", style: { color: FG, maxWidth: 1200, padding: 16 } },
    summary.is_newer &&
      h(
        "p",
        { role: "status" },
        "A newer version of the provider wrote this; what is not known here is not shown.",
      ),
    isOld &&
      h(
        "p",
        { role: "status" },
        "An older version of the provider wrote this; it kept only warnings.",
      ),
    h(Warnings, { summary }),
    !isOld && [
      h(
        "div",
        {
          key: "looks",
          style: { alignItems: "flex-start", columnGap: 32, display: "flex", flexWrap: "wrap" },
        },
        h(
          Section,
          { title: "Quick-look" },
          h(Picture, { name, side: 360, source: summary.picture }),
          h(Links, { links: summary.links }),
        ),
        h(Section, { title: "Footprint" }, h(Footprint, summary)),
      ),
      h(Files, { key: "files", summary }),
      h(Bands, { key: "bands", summary }),
      h(Asked, { key: "asked", summary }),
      h(Cost, { key: "cost", summary }),
    ],
  );
}

function pageOf(dagId, runId, each) {
  const task = ["dags", dagId, "runs", runId, "tasks", each.task_id].map(encodeURIComponent);
  const mapped = each.map_index < 0 ? [] : ["mapped", each.map_index];
  return new URL([...task, ...mapped, "plugin", "earth_engine"].join("/"), document.baseURI).href;
}

function Card({ dagId, runId, each }) {
  const mapped = each.map_index < 0 ? "" : ` [${each.map_index}]`;
  const task = `${text(each.task_id)}${mapped}`;
  const name = each.item ? text(each.item).split("/").pop().replace(/\.[a-z]+\.json$/, "") : task;
  return h(
    "li",
    { style: { border: `1px solid ${LINE}`, borderRadius: 6, padding: 8, width: 196 } },
    h(
      "a",
      { href: pageOf(dagId, runId, each), style: { color: "inherit", display: "block" } },
      h(Picture, { name, side: 178, source: each.picture }),
      h("span", { style: { display: "block", fontWeight: 600, overflowWrap: "anywhere" } }, name),
      h("span", { style: { display: "block", fontSize: 13, overflowWrap: "anywhere" } }, task),
    ),
    each.all_masked && h("p", { style: { fontSize: 13 } }, "no valid pixel"),
    each.warnings > 0 &&
      h("p", { style: { fontSize: 13 } }, `${each.warnings} warning${each.warnings > 1 ? "s" : ""}`),
  );
}

function RunTab({ dagId, runId }) {
  const [offset, setOffset] = useState(0);
  const path = `dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}/pictures`;
  const { answer, isWaiting, status } = useAnswer(`${path}?offset=${offset}&limit=${PAGE}`);
  if (isWaiting) return h(Note, null, "Loading …");
  if (!answer) return h(Note, null, refusal(status));
  const pictures = list(answer.pictures);
  if (!answer.count || (!pictures.length && answer.count <= PAGE))
    return h(Note, null, "No task of this run has left a download to show, or not yet.");
  const isLast = answer.next >= answer.count;
  const button = (label, to, disabled) =>
    h(
      "button",
      {
        disabled,
        onClick: () => setOffset(to),
        style: { ...BUTTON, opacity: disabled ? 0.5 : 1 },
        type: "button",
      },
      label,
    );
  return h(
    "div",
    { "data-tab": "earthengine", style: { color: FG, padding: 16 } },
    h(
      "h2",
      { style: { fontSize: 16, fontWeight: 600, marginBottom: 8 } },
      `Downloads of this run: ${count(answer.count)}`,
    ),
    h(
      "ul",
      { style: { display: "flex", flexWrap: "wrap", gap: 12, listStyle: "none", padding: 0 } },
      pictures.map((each) =>
        h(Card, { dagId, each, key: `${each.task_id}/${each.map_index}`, runId }),
      ),
    ),
    (offset > 0 || !isLast) &&
      h(
        "nav",
        { "aria-label": "Pages of pictures", style: { display: "flex", gap: 12, marginTop: 12 } },
        button("Previous", Math.max(0, offset - PAGE), offset === 0),
        h("span", null, `${offset + 1} to ${answer.next} of ${count(answer.count)}`),
        button("Next", answer.next, isLast),
      ),
  );
}

globalThis["Earth Engine"] = TaskTab;
globalThis["Earth Engine pictures"] = RunTab;
