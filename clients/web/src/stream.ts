// A live session over /v1/stream: what is said reaches the server, also over a socket that breaks.

import type { ClientMessage, CloseReason, Error, Parameters, ServerMessage } from "./messages";
import { FRAME_SAMPLES, RATE_HZ } from "./capture/framer";
import { Problem } from "./problems";
import { diagnose, subprotocols } from "./server";

/** Audio that waits for a socket: 30 s. Beyond it the oldest is lost, and that is told. */
const MAX_WAITING_FRAMES = Math.ceil((30 * RATE_HZ) / FRAME_SAMPLES);
const BACK_OFF_MS = [250, 500, 1000, 2000, 4000, 8000];
const MAX_ATTEMPTS = 10;
/** A socket that takes longer to open, or a server that takes longer to end, is given up. */
const PATIENCE_MS = 15000;

/** What a stream tells. */
export interface Hearer {
  /** A message of the server. fromS: where on the recording its session's clock began. */
  onMessage(message: ServerMessage, fromS: number): void;
  /** The socket broke; it is tried again. */
  onBroken(): void;
  /** So much was said while there was no socket that this is lost. */
  onLost(seconds: number): void;
  /** The server wants a key; resolve to true to try again. */
  onKeyWanted(): Promise<boolean>;
  /** It is over: as wished, or by a problem. */
  onEnd(problem: Problem | null): void;
}

export class Stream {
  private socket: WebSocket | null = null;
  private isOpen = false;
  private isEnding = false;
  private isOver = false;
  /** A server that never answered is not worth waiting for. */
  private wasEverOpen = false;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waiting: ArrayBuffer[] = [];
  private heardSamples = 0;
  private sessionFromSamples = 0;
  private failure: Problem | null = null;

  constructor(
    private parameters: Parameters,
    private readonly hearer: Hearer,
  ) {
    this.connect();
  }

  /** How much was said so far. */
  get heardS(): number {
    return this.heardSamples / RATE_HZ;
  }

  /** Send PCM16 at 16 kHz. */
  send(pcm: ArrayBuffer): void {
    this.heardSamples += pcm.byteLength / 2;
    if (this.isOpen) this.socket?.send(pcm);
    else this.keep(pcm);
  }

  commit(): void {
    this.say({ type: "commit" });
  }

  /** Change what may be changed while it runs. */
  configure(change: Parameters): void {
    this.parameters = { ...this.parameters, ...change };
    this.say({ type: "config", ...change });
  }

  /** No more audio: the last final comes, then onEnd. */
  end(): void {
    this.isEnding = true;
    if (this.isOpen) this.finish();
    else if (!this.socket) this.over(new Problem("gone"));
  }

  private say(message: ClientMessage): void {
    if (this.isOpen) this.socket?.send(JSON.stringify(message));
  }

  private keep(pcm: ArrayBuffer): void {
    this.waiting.push(pcm);
    const surplus = this.waiting.splice(0, this.waiting.length - MAX_WAITING_FRAMES);
    if (surplus.length) this.hearer.onLost(samplesOf(surplus) / RATE_HZ);
  }

  private connect(): void {
    const socket = new WebSocket(this.address(), subprotocols());
    this.socket = socket;
    this.timer = setTimeout(() => socket.close(), PATIENCE_MS);
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      this.hear(JSON.parse(data) as ServerMessage);
    };
    socket.onclose = () => void this.closed();
  }

  private address(): string {
    const url = new URL("v1/stream", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    for (const [name, value] of Object.entries(this.parameters)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
  }

  private hear(message: ServerMessage): void {
    if (message.type === "ready") this.open();
    this.hearer.onMessage(message, this.sessionFromSamples / RATE_HZ);
    if (message.type === "error") this.failure = problemOf(message);
    if (message.type === "bye") this.part(message.reason);
  }

  private part(reason: CloseReason): void {
    if (reason === "shutdown" && !this.isEnding) return; // the close follows, and then a new server
    const isFine = reason === "end" || reason === "shutdown";
    this.over(isFine ? null : (this.failure ?? new Problem("failed", reason)));
  }

  private open(): void {
    clearTimeout(this.timer);
    this.isOpen = true;
    this.wasEverOpen = true;
    this.attempt = 0;
    this.failure = null;
    this.sessionFromSamples = this.heardSamples - samplesOf(this.waiting);
    for (const pcm of this.waiting.splice(0)) this.socket?.send(pcm);
    if (this.isEnding) this.finish();
  }

  private finish(): void {
    this.say({ type: "end" });
    this.timer = setTimeout(() => this.over(new Problem("gone")), PATIENCE_MS);
  }

  private async closed(): Promise<void> {
    clearTimeout(this.timer);
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.socket = null;
    if (this.isOver) return;
    if (wasOpen) this.hearer.onBroken();
    const reason = await diagnose();
    if (this.isOver) return;
    if (reason === "key") return this.askForKey();
    const isHopeless = reason?.kind === "forbidden" || !this.wasEverOpen;
    if (reason && isHopeless) return this.over(reason);
    if (this.isEnding && wasOpen) return this.over(reason ?? new Problem("gone"));
    this.again(reason);
  }

  private async askForKey(): Promise<void> {
    if (await this.hearer.onKeyWanted()) this.connect();
    else this.over(null);
  }

  private again(reason: Problem | null): void {
    const wait = BACK_OFF_MS[Math.min(this.attempt++, BACK_OFF_MS.length - 1)]!;
    if (this.attempt > MAX_ATTEMPTS) return this.over(reason ?? new Problem("gone"));
    this.timer = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
  }

  private over(problem: Problem | null): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.hearer.onEnd(problem);
  }
}

function samplesOf(frames: ArrayBuffer[]): number {
  return frames.reduce((sum, frame) => sum + frame.byteLength / 2, 0);
}

function problemOf({ code, message }: Error): Problem {
  const isFull = ["at_capacity", "overloaded", "not_ready"].includes(code);
  return new Problem(isFull ? "full" : "failed", message);
}
