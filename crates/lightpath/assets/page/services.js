// The table of services and backends: rows are made once and changed in place, so that a thousand services stay smooth.

import { count, draw, duration, element, endpoint, part, rate, say, set, spark, span } from "./format.js";

/** The states of a backend, from the best to the worst. */
export const STATES = ["up", "draining", "panic", "unresolved", "down"];
/** Figures of a line that shows how a rate was. */
const KEPT = 90;
/** With more services than this, only those have their backends shown that have one that is not up. */
const FEW = 25;
/** However many have trouble. */
const MOST_UNFOLDED = 100;

const table = document.getElementById("table");
const search = document.getElementById("search");
const stateChoice = document.getElementById("state");
const unfoldAll = document.getElementById("unfold");

const groups = new Map();
let order = { by: "configuration", descending: false };
let latest = { services: [] };

/** Cells of a row, with the labels that they have on a phone. */
function cells() {
  const cell = (label, kind = "") => element("td", { "data-label": label, class: kind });
  const [state, rates, trend, share] = [cell("State"), cell("Packets/s", "number"), cell("Last minutes"), cell("Share", "share")];
  const [flows, packets] = [cell("Flows kept", "number"), cell("Packets", "number")];
  const [dropped, check] = [cell("Dropped", "number"), cell("Check", "number")];
  const badge = element("span", { class: "state" });
  const cause = element("span", { class: "cause" });
  state.append(badge, " ", cause);
  const line = spark();
  trend.append(line);
  const meter = element("meter", { min: 0, max: 1 });
  const shares = element("span");
  share.append(meter, " ", shares);
  const all = [state, rates, trend, share, flows, packets, dropped, check];
  return { all, badge, cause, rates, line, share, meter, shares, flows, packets, dropped, check, past: [] };
}

function remember(row, figure) {
  row.past.push(figure);
  if (row.past.length > KEPT) row.past.shift();
  draw(row.line, row.past, KEPT);
}

function group(service) {
  const body = element("tbody");
  const button = element("button", { type: "button", "aria-expanded": "false" });
  const address = element("small");
  const head = element("tr", { class: "service", "data-service": service.name });
  const row = cells();
  row.share.replaceChildren();
  head.append(element("th", { scope: "row" }, button, " ", address), ...row.all);
  body.append(head);
  const made = { body, head, button, address, row, backends: new Map(), choice: null, service };
  button.addEventListener("click", () => {
    made.choice = button.getAttribute("aria-expanded") !== "true";
    show(made, made.choice);
  });
  return made;
}

/** How a service is as a whole. */
function standing(service) {
  const up = service.backends.filter((backend) => backend.state === "up").length;
  const all = service.backends.length;
  if (!service.backends.some((backend) => backend.share > 0)) return ["empty", all ? `no backend takes flows` : "no backends"];
  return up === all ? ["up", `${up} up`] : ["some", `${up} of ${all} up`];
}

function fillService(made, service, sample) {
  const { row } = made;
  const [kind, words] = standing(service);
  say(made.button, service.name);
  say(made.address, `${endpoint(service.vip, service.port)}/${service.protocol} · ${service.forward}`);
  set(row.badge, "class", `state ${kind}`);
  say(row.badge, words);
  say(row.rates, rate(service.packets_per_second));
  say(row.flows, count(service.backends.reduce((sum, backend) => sum + backend.flows, 0)));
  say(row.packets, count(service.packets));
  say(row.dropped, count(service.dropped));
  if (sample) remember(row, service.packets_per_second);
}

function fillBackend(row, backend, weights, now, sample) {
  set(row.badge, "class", `state ${backend.state}`);
  say(row.badge, backend.state);
  const time = backend.since === undefined ? "" : `for ${span(Math.max(0, Math.floor(now) - backend.since))}`;
  say(row.cause, [time, backend.cause].filter(Boolean).join(": "));
  say(row.rates, rate(backend.packets_per_second));
  const fair = weights > 0 ? backend.weight / weights : 0;
  set(row.meter, "value", backend.share);
  set(row.meter, "aria-label", `share of new flows of ${row.name}`);
  say(row.shares, `${part(backend.share)} (${part(fair)} by weight ${backend.weight})`);
  say(row.flows, count(backend.flows));
  say(row.packets, count(backend.packets));
  say(row.dropped, "");
  say(row.check, backend.check_seconds === undefined ? "" : duration(backend.check_seconds));
  if (sample) remember(row, backend.packets_per_second);
}

/** Shows the backends of a service, or hides them: those that nobody sees are not in the page. */
function show(made, unfolded) {
  set(made.button, "aria-expanded", unfolded);
  if (!unfolded) {
    for (const row of made.backends.values()) row.line.closest("tr").remove();
    made.backends.clear();
    return;
  }
  const chosen = made.service.backends.filter(made.wanted ?? (() => true)).sort(compareBackends);
  const weights = made.service.backends.reduce((sum, backend) => sum + backend.weight, 0);
  const known = new Set();
  let last = made.head;
  for (const backend of chosen) {
    const name = endpoint(backend.address, backend.port);
    known.add(name);
    let row = made.backends.get(name);
    if (!row) {
      row = cells();
      row.name = name;
      const line = element("tr", { class: "backend", "data-backend": name });
      line.append(element("th", { scope: "row" }, name), ...row.all);
      row.tr = line;
      made.backends.set(name, row);
    }
    fillBackend(row, backend, weights, latest.time, made.sample);
    if (last.nextSibling !== row.tr) last.after(row.tr);
    last = row.tr;
  }
  for (const [name, row] of made.backends) {
    if (!known.has(name)) {
      row.tr.remove();
      made.backends.delete(name);
    }
  }
}

const worst = (service) => Math.max(-1, ...service.backends.map((backend) => STATES.indexOf(backend.state)));
const KEYS = {
  name: (service) => service.name,
  state: worst,
  rate: (service) => service.packets_per_second,
  packets: (service) => service.packets,
  dropped: (service) => service.dropped,
};
const BACKEND_KEYS = {
  name: (backend) => endpoint(backend.address, backend.port),
  state: (backend) => STATES.indexOf(backend.state),
  rate: (backend) => backend.packets_per_second,
  packets: (backend) => backend.packets,
};
const compare = (one, other) =>
  typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
const sorter = (keys) => (one, other) => {
  const key = keys[order.by];
  return key ? compare(key(one), key(other)) * (order.descending ? -1 : 1) : 0;
};
const compareServices = (one, other) => sorter(KEYS)(one, other);
const compareBackends = (one, other) => sorter(BACKEND_KEYS)(one, other);

/** Which backends are asked for; `null` when the service is not. */
function filter(service) {
  const text = search.value.trim().toLowerCase();
  const choice = stateChoice.value;
  const inState = (backend) => !choice || (choice === "bad" ? backend.state !== "up" : backend.state === choice);
  const here = `${service.name} ${endpoint(service.vip, service.port)} ${service.protocol} ${service.forward}`.toLowerCase();
  const named = (backend) =>
    !text || here.includes(text) || `${endpoint(backend.address, backend.port)} ${backend.state} ${backend.cause ?? ""}`.toLowerCase().includes(text);
  const wanted = (backend) => inState(backend) && named(backend);
  const fits = service.backends.some(wanted) || (!choice && (!text || here.includes(text)));
  return fits ? wanted : null;
}

/** Brings the table up to date with what is known; `sample` when a moment has gone by that lines should show. */
function update(sample) {
  const services = latest.services.map((service) => [service, filter(service)]);
  const shown = services.filter(([, wanted]) => wanted);
  shown.sort(([one], [other]) => compareServices(one, other));
  const asked = Boolean(search.value.trim() || stateChoice.value);
  const all = unfoldAll.getAttribute("aria-pressed") === "true";
  const known = new Set();
  let unfolded = 0;
  let last = table.tHead;
  for (const [service, wanted] of shown) {
    known.add(service.name);
    const made = groups.get(service.name) ?? group(service);
    groups.set(service.name, made);
    Object.assign(made, { service, wanted, sample });
    fillService(made, service, sample);
    const troubled = service.backends.some((backend) => backend.state !== "up");
    let open = made.choice ?? (all || services.length <= FEW || ((troubled || asked) && unfolded < MOST_UNFOLDED));
    if (open && made.choice === null) unfolded += 1;
    show(made, open);
    if (last.nextSibling !== made.body) last.after(made.body);
    last = made.body;
  }
  for (const [name, made] of groups) {
    if (!known.has(name)) made.body.remove();
    if (!latest.services.some((service) => service.name === name)) groups.delete(name);
  }
  const [some, every] = [shown.length, services.length];
  say(document.getElementById("shown"), some === every ? `${every} services` : `${some} of ${every} services`);
}

/** Shows a status. */
export function showServices(status) {
  latest = status;
  update(true);
}

for (const head of table.querySelectorAll("th[data-sort]")) {
  head.firstElementChild.addEventListener("click", () => {
    const by = head.dataset.sort;
    // Names begin at A, figures with the largest.
    const descending = order.by === by ? !order.descending : by !== "name";
    order = { by, descending };
    for (const other of table.querySelectorAll("th[data-sort]")) set(other, "aria-sort", null);
    set(head, "aria-sort", descending ? "descending" : "ascending");
    update(false);
  });
}
search.addEventListener("input", () => update(false));
stateChoice.addEventListener("change", () => update(false));
unfoldAll.addEventListener("click", () => {
  set(unfoldAll, "aria-pressed", unfoldAll.getAttribute("aria-pressed") !== "true");
  for (const made of groups.values()) made.choice = null;
  update(false);
});
