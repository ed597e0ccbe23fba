// The page: follows the daemon, and says so when it is gone.

import { showEvent, showPanels } from "./panels.js";
import { showServices } from "./services.js";

/** The daemon sends something every two seconds; when it has not for this long, it is gone. In milliseconds. */
const PATIENCE = 8000;
/** How long to wait before it is looked for again. */
const PAUSE = 1000;

const gone = document.getElementById("gone");
const connection = document.getElementById("connection");
let source;
let heard = Date.now();
let lastEvent = 0;

function isHere() {
  heard = Date.now();
  gone.hidden = true;
  document.body.classList.remove("is-gone");
  if (connection.textContent !== "Live") connection.textContent = "Live";
}

function isGone() {
  if (!gone.hidden) return;
  const since = new Date(heard).toLocaleTimeString();
  gone.textContent = `The daemon does not answer since ${since}: what is shown is from then. Its data plane goes on forwarding. This page looks for it again.`;
  gone.hidden = false;
  document.body.classList.add("is-gone");
  connection.textContent = "Not connected";
}

function follow() {
  source?.close();
  source = new EventSource(`v1/watch?after=${lastEvent}`);
  source.addEventListener("status", (message) => {
    isHere();
    const status = JSON.parse(message.data);
    showServices(status);
    showPanels(status);
  });
  source.addEventListener("event", (message) => {
    const event = JSON.parse(message.data);
    if (event.id > lastEvent) {
      lastEvent = event.id;
      showEvent(event);
    }
  });
  source.addEventListener("error", () => {
    isGone();
    source.close();
    setTimeout(follow, PAUSE);
  });
}

setInterval(() => {
  if (Date.now() - heard > PATIENCE) isGone();
}, PAUSE);

const dark = matchMedia("(prefers-color-scheme: dark)");
const chosen = () => localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
const paint = () => (document.documentElement.dataset.theme = chosen());
document.getElementById("theme").addEventListener("click", () => {
  localStorage.setItem("theme", chosen() === "dark" ? "light" : "dark");
  paint();
});
dark.addEventListener("change", paint);
paint();
follow();
