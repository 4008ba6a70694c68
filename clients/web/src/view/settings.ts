// The choices of a session, and how they are put in a few words.

import type { EndpointKind, Parameters } from "../messages";
import { kept } from "../storage";
import { byId } from "./dom";

type DelayMs = NonNullable<Parameters["delay_ms"]>;

const DELAYS_MS = [...Array.from({ length: 15 }, (_, index) => 80 * (index + 1)), 2400];
const STORED = "voxwire.settings";
const HINTS: Record<EndpointKind, string> = {
  pads: "When the model has written no new word for a while.",
  vad: "A voice detector listens, and silence costs nothing.",
  none: "With the button New segment.",
};

const LOCKED = "The voice detector goes on or off between recordings.";

const delay = byId<HTMLSelectElement>("delay");
const endpoint = byId<HTMLSelectElement>("endpoint");
const silence = byId<HTMLInputElement>("silence");
const threshold = byId<HTMLInputElement>("threshold");
const inputs = [delay, endpoint, silence, threshold];
let isRunning = false;

/** What the person chose, as the server takes it. */
export function chosen(): Parameters {
  return { ...chosenEndpoint(), ...(delay.value ? { delay_ms: chosenDelay()! } : {}) };
}

export function chosenDelay(): DelayMs | undefined {
  return delay.value ? (Number(delay.value) as DelayMs) : undefined;
}

/** Call back with what a running session may change, when it is changed. */
export function onChange(change: (parameters: Parameters) => void): void {
  for (const input of [endpoint, silence, threshold]) {
    input.addEventListener("change", () => change(chosenEndpoint()));
  }
}

/** While a session runs its delay is fixed, and whether a voice detector listens. */
export function lock(running: boolean): void {
  isRunning = running;
  delay.disabled = isRunning;
  endpoint.disabled = isRunning && endpoint.value === "vad";
  endpoint.querySelector<HTMLOptionElement>("[value=vad]")!.disabled = isRunning;
  show();
}

function chosenEndpoint(): Parameters {
  const kind = endpoint.value as EndpointKind;
  const silence_ms = Number(silence.value);
  if (kind === "none") return { endpoint: kind };
  if (kind === "pads") return { endpoint: kind, silence_ms };
  return { endpoint: kind, silence_ms, threshold: Number(threshold.value) };
}

function show(): void {
  const kind = endpoint.value as EndpointKind;
  const seconds = `${(Number(silence.value) / 1000).toFixed(1)} s`;
  byId("silence-value").textContent = seconds;
  byId("threshold-value").textContent = Number(threshold.value).toFixed(2);
  byId("silence-choice").hidden = kind === "none";
  byId("threshold-choice").hidden = kind !== "vad";
  byId("endpoint-hint").textContent = isRunning ? `${HINTS[kind]} ${LOCKED}` : HINTS[kind];
  byId("silence-name").textContent = kind === "vad" ? "Silence" : "Pause";
  byId("silence-hint").textContent =
    kind === "vad" ? "How long a silence closes it." : "How long without a new word closes it.";
  const ends = {
    pads: `a segment ends after ${seconds} without a new word`,
    vad: `a segment ends ${seconds} after the voice`,
    none: "you end segments",
  };
  const delayText = delay.value ? `${delay.value} ms` : "the model’s own delay";
  byId("summary").textContent = `${delayText} · ${ends[kind]}`;
}

function store(): void {
  kept.set(STORED, JSON.stringify(inputs.map((input) => input.value)));
}

function restore(): void {
  const values = stored();
  inputs.forEach((input, index) => {
    const before = input.value;
    const value = values[index];
    input.value = String(value ?? before);
    if (input.value !== value) input.value = before; // it allows no such value
  });
}

function stored(): unknown[] {
  try {
    const values: unknown = JSON.parse(kept.get(STORED) ?? "[]");
    return Array.isArray(values) ? values : [];
  } catch {
    return [];
  }
}

delay.append(
  new Option("the model’s own", ""),
  ...DELAYS_MS.map((ms) => new Option(`${ms} ms`, String(ms))),
);
for (const input of inputs) {
  input.addEventListener("input", show);
  input.addEventListener("change", store);
}
restore();
show();
