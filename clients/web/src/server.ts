// What the page asks the server over HTTP: whether it is there, has room, and wants a key.

import { Problem } from "./problems";
import { keptForTab } from "./storage";

const STORED_KEY = "voxwire.key";
/** As the server's keys are: of what a subprotocol may consist of. */
const KEY = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{8,256}$/;
/** A network that is gone says nothing: what was asked over it would be waited for for minutes. */
const PATIENCE_MS = 5_000;

/** The key to send, if the server wants one. Kept for the tab only. */
export const key = {
  get value(): string {
    return keyIn(keptForTab.get(STORED_KEY) ?? "") ?? "";
  },
  set value(value: string) {
    keptForTab.set(STORED_KEY, value);
  },
};

/** The key in what was typed or pasted; null where no server has such a key. */
export function keyIn(typed: string): string | null {
  const found = typed.trim().replace(/^Bearer\s+/i, "");
  return KEY.test(found) ? found : null;
}

/** What /readyz says. */
export interface Readiness {
  ready: boolean;
  reason: "engine_dead" | "draining" | "full" | null;
  model: string;
  slots: { used: number; free: number; total: number };
}

const WHY_NOT = {
  full: "all its places are taken",
  draining: "it is being shut down or has just started",
  engine_dead: "its engine has failed, and it needs a restart",
};

export function headers(): Record<string, string> {
  return key.value ? { Authorization: `Bearer ${key.value}` } : {};
}

/** The subprotocols by which a WebSocket brings the key, as it can set no headers. */
export function subprotocols(): string[] {
  return key.value ? ["voxwire", `openai-insecure-api-key.${key.value}`] : ["voxwire"];
}

function ask(path: string, headers: Record<string, string>): Promise<Response> {
  return fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
}

/** Ask whether there is room, and how much. Rejects where the server is gone. */
export async function askReadiness(): Promise<Readiness> {
  const response = await ask("readyz", {});
  return (await response.json()) as Readiness;
}

/** Find out why a socket did not open, which browsers do not tell. */
export async function diagnose(): Promise<Problem | "key" | null> {
  try {
    const response = await ask("v1/models", headers());
    if (response.status === 401) return "key";
    if (response.status === 403) return new Problem("forbidden", await messageOf(response));
    const { reason } = await askReadiness();
    return reason && new Problem("full", WHY_NOT[reason]);
  } catch {
    return new Problem("gone");
  }
}

/** Return what an error answer says, shaped as OpenAI's. */
export async function messageOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  return body?.error?.message ?? "";
}
