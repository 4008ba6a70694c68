// How far the text is behind the voice.

import { byId } from "./dom";

/** Behind by the model's delay and so much more, the text lags. */
const SLACK_S = 1.5;
/** A server that hears confirms each half second: after so long, nobody knows how far it is. */
const SILENCE_MS = 3000;

const place = byId("lag");
let toldAtMs = 0;

export function showLag(behindS: number, delayS: number): void {
  place.textContent = `${Math.max(0, behindS).toFixed(1)} s behind`;
  place.classList.toggle("late", behindS > delayS + SLACK_S);
}

export function hideLag(): void {
  place.textContent = "";
}

/** Something came from the server. */
export function noteServer(): void {
  toldAtMs = performance.now();
}

/** Hide the lag when nothing comes any more. */
export function checkLag(): void {
  if (performance.now() - toldAtMs > SILENCE_MS) hideLag();
}
