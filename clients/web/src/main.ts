// The page: speak, and read along.

import "./view/dock";
import "./view/theme";
import { acceptFiles } from "./files";
import { Recorder } from "./recorder";
import { askReadiness } from "./server";
import { byId } from "./view/dom";
import { hasText } from "./view/take";

const ASK_EVERY_MS = 5000;
const room = byId("room");
const recorder = new Recorder(showModel, () => void showRoom());

function showModel(name: string): void {
  const place = byId("model");
  place.textContent = name;
  place.hidden = false;
  byId("small-model").hidden = name !== "embedded";
}

async function showRoom(): Promise<void> {
  try {
    const { ready, model, slots } = await askReadiness();
    showModel(model);
    setRoom(ready ? "ready" : "busy", ready ? `${slots.free} of ${slots.total} free` : "no room now");
  } catch {
    setRoom("gone", "no answer");
  }
}

function setRoom(state: string, text: string): void {
  room.dataset["state"] = state;
  room.textContent = text;
}

acceptFiles();
void showRoom();
setInterval(() => {
  if (document.visibilityState === "visible") void showRoom();
}, ASK_EVERY_MS);
document.addEventListener("visibilitychange", () => void showRoom());
addEventListener("beforeunload", (event) => {
  if (recorder.isRunning || hasText()) event.preventDefault();
});
