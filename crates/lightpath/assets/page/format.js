// How figures are written, and small pieces of the page.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A count, to its last digit. */
export const count = (number) => whole.format(number);
/** A rate, as exactly as it matters. */
export const rate = (number) => (number < 10000 ? whole.format(number) : short.format(number));
/** A part of a whole, from 0 to 1. */
export const part = (ratio) => percent.format(ratio);

/** A time in seconds, with the unit that suits it. */
export function duration(seconds) {
  if (seconds < 0.001) return `${Math.max(1, Math.round(seconds * 1e6))} µs`;
  if (seconds < 1) return `${(seconds * 1000).toPrecision(2)} ms`;
  return `${seconds.toPrecision(2)} s`;
}

/** A span of whole seconds, in the largest two units that say enough: as `lightpath status` writes it. */
export function span(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** A moment, given in seconds since 1970. */
export const moment = (seconds) => new Date(seconds * 1000);

/** An element with attributes and children. Text stays text, whatever is in it. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Changes a text only if it is another: a change costs a layout. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Changes an attribute only if it is another; `null` takes it away. */
export function set(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** How an address and its port, which may be kept, are written. */
export function endpoint(address, port) {
  if (port === null || port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

const SVG = "http://www.w3.org/2000/svg";

/** A line of what a figure was, without words: the figure itself stands beside it. */
export function spark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "polyline"));
  return svg;
}

/** Draws figures from the oldest to the latest, of at most `most`. */
export function draw(svg, figures, most) {
  const top = Math.max(1, ...figures);
  const points = figures.map((figure, index) => {
    const x = 100 - ((figures.length - 1 - index) * 100) / (most - 1);
    return `${x.toFixed(1)},${(19 - (18 * figure) / top).toFixed(1)}`;
  });
  set(svg.firstChild, "points", points.join(" "));
}
