// What is of the whole node: figures, drops, drains and moves, processors, configuration, events.

import { count, element, endpoint, moment, part, rate, say, set } from "./format.js";
import { STATES } from "./services.js";

/** Events that the page keeps. */
const KEPT_EVENTS = 200;

const at = (id) => document.getElementById(id);

/** What each reason to drop means, once it is known. */
let reasons = {};
fetch("page/reasons.json")
  .then((answer) => answer.json())
  .then((known) => (reasons = known))
  .catch(() => {});

/** Puts new children in the place of others, unless they are the same. */
function fill(node, ...children) {
  const next = element("div");
  next.append(...children);
  if (node.innerHTML !== next.innerHTML) node.replaceChildren(...next.childNodes);
}

/** A figure with its name; rows are made once. */
function tile(name, text) {
  const id = `tile-${name.replaceAll(" ", "-")}`;
  if (!at(id)) at("overview").append(element("div", {}, element("dt", {}, name), element("dd", { id })));
  say(at(id), text);
  return at(id).parentNode;
}

function overview(status) {
  const backends = status.services.flatMap((service) => service.backends);
  const sum = (figures) => figures.reduce((one, other) => one + other, 0);
  tile("services", count(status.services.length));
  for (const state of STATES) {
    const number = backends.filter((backend) => backend.state === state).length;
    const shown = tile(`backends ${state}`, count(number));
    shown.hidden = number === 0 && state !== "up" && state !== "down";
  }
  tile("packets per second", rate(sum(status.services.map((service) => service.packets_per_second))));
  tile("dropped per second", rate(sum(Object.values(status.drops_per_second))));
  const notices = status.interfaces
    .filter((known) => known.mode === "missing")
    .map((known) => `${known.name} is gone or taken: its packets are not balanced.`);
  if (status.file_changed) notices.push("The configuration file has changed since it was read: lightpath reload applies it.");
  fill(at("notices"), ...notices.map((notice) => element("li", {}, notice)));
  say(at("instance"), `${status.instance} · ${status.version}`);
  document.title = `${backends.some((backend) => backend.state === "down") ? "▼ " : ""}Lightpath ${status.instance}`;
}

/** A text with what stands between backticks as code. */
const prose = (text) => text.split("`").map((piece, index) => (index % 2 ? element("code", {}, piece) : piece));

function drops(status) {
  const seen = Object.entries(status.drops).sort(([, one], [, other]) => other - one);
  if (!seen.length) return fill(at("drops"), element("p", { class: "quiet" }, "Nothing dropped."));
  const blocks = seen.flatMap(([reason, number]) => [
    element("h3", { "data-reason": reason }, element("span", {}, reason),
      element("span", {}, `${count(number)} · ${rate(status.drops_per_second[reason] ?? 0)}/s`)),
    element("p", {}, ...prose((reasons[reason] ?? []).join(" "))),
    ...example(status.drop_examples[reason]),
  ]);
  fill(at("drops"), ...blocks);
}

/** A packet that was dropped, if one is known. */
function example(packet) {
  if (!packet) return [];
  const { summary, service, length, headers } = packet;
  const fields = headers.map(({ field, value }) => `, ${field} ${value}`).join("");
  const seen = `${moment(packet.time).toLocaleString()} by ${packet.interface}`;
  return [element("p", { class: "example" }, `Example, ${seen}: `,
    element("code", {}, summary), `${service ? ` for ${service}` : ""}, ${length} bytes${fields}.`)];
}

function moves(status) {
  const { moving_slots: moving, remembered, sessions } = status.flows;
  const lines = [];
  if (moving) lines.push(`${count(moving)} slots are moving; ${count(remembered)} flows are remembered for them.`);
  for (const service of status.services) {
    for (const backend of service.backends.filter((known) => known.state === "draining")) {
      const flows = backend.flows === 1 ? "1 flow" : `${count(backend.flows)} flows`;
      lines.push(`${endpoint(backend.address, backend.port)} of ${service.name} drains: ${flows} known.`);
    }
  }
  if (status.program.features.includes("fullnat")) lines.push(`${count(sessions)} flows of fullnat.`);
  if (!lines.length) return fill(at("moves"), element("p", { class: "quiet" }, "Nothing moves, nothing drains."));
  fill(at("moves"), element("ul", { class: "plain" }, ...lines.map((line) => element("li", {}, line))));
}

function cpus(status) {
  const panel = at("cpus");
  const most = Math.max(1, ...status.cpus.map((cpu) => cpu.packets_per_second));
  const all = status.cpus.reduce((sum, cpu) => sum + cpu.packets_per_second, 0);
  while (panel.children.length > status.cpus.length) panel.lastChild.remove();
  status.cpus.forEach((cpu, number) => {
    if (!panel.children[number]) {
      const meter = element("meter", { min: 0, "aria-label": `packets per second of CPU ${number}` });
      panel.append(element("div", { class: "cpu" }, element("span", {}, `CPU ${number}`), meter, element("span", { class: "number" })));
    }
    const [, meter, text] = panel.children[number].children;
    set(meter, "max", most);
    set(meter, "value", cpu.packets_per_second);
    say(text, `${rate(cpu.packets_per_second)}/s${all ? `, ${part(cpu.packets_per_second / all)}` : ""}`);
  });
}

function configuration(status) {
  const { interfaces, program, overrides } = status;
  const facts = [
    `On ${interfaces.map((known) => `${known.name} (${known.mode})`).join(", ")}.`,
    `Program ${program.id}: ${program.features.join(", ")}.`,
    overrides.length ? "Differs from the file by what was changed at run time:" : "What runs is what the file says.",
  ];
  const lines = [...facts, ...overrides].map((line) => element("li", {}, line));
  fill(at("configuration"), element("ul", { class: "plain" }, ...lines));
}

/** Shows a status. */
export function showPanels(status) {
  overview(status);
  drops(status);
  moves(status);
  cpus(status);
  configuration(status);
}

/** Shows an event above those before it. */
export function showEvent(event) {
  const list = at("events");
  const subject = [event.service, event.backend, event.interface].filter(Boolean).join(" ");
  const words = [event.message, event.cause, ...(event.changes ?? [])].filter(Boolean).join(": ");
  const when = moment(event.time);
  const time = element("time", { datetime: when.toISOString() }, when.toLocaleString());
  const text = element("span", {}, subject ? element("strong", {}, `${subject}  `) : "", words);
  list.prepend(element("li", { class: event.severity, "data-event": event.event, "data-id": event.id }, time, text));
  while (list.children.length > KEPT_EVENTS) list.lastChild.remove();
}
