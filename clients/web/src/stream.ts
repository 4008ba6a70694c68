// A live session over /v1/stream: what is said reaches the server, also over sockets that break.

import type { Bye, ClientMessage, Error, Parameters, ServerMessage } from "./messages";
import { RATE_HZ } from "./capture/framer";
import type { Hearer } from "./hearer";
import { Problem, problemOf } from "./problems";
import { Ring } from "./ring";
import { diagnose, subprotocols } from "./server";

const BACK_OFF_MS = [250, 500, 1000, 2000, 4000, 8000];
/** Without anything from a server for so long, it is given up. */
const GIVE_UP_MS = 120_000;
/** Sockets that are tried before one has opened, while the server answers all else. */
const FIRST_TRIES = 4;
/** A socket that takes longer to open, or a server that takes longer to end, is given up. */
const PATIENCE_MS = 15_000;
/** A socket over which nothing comes for so long, though something is owed, is broken. */
const STALL_MS = 10_000;
/** Messages; the server keeps some hundred. */
const ACK_EVERY = 64;
const BYTES_PER_S = 2 * RATE_HZ;
/** Errors with which a server ends, and not the session alone. */
const FOLLOWED = ["shutdown", "engine_dead"];
const END = JSON.stringify({ type: "end" });

export class Stream {
  private socket: WebSocket | null = null;
  private isOpen = false;
  private isEnding = false;
  private isOver = false;
  /** What is said from here on, another server hears. */
  private isDraining = false;
  /** A server that never answered is not worth waiting for. */
  private wasEverOpen = false;
  /** What is told where nothing is open, and it ends. */
  private away = new Problem("gone");
  private attempt = 0;
  private lostAtMs: number | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stallTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly ring = new Ring();
  private heardSamples = 0;
  private failure: Error | null = null;
  /** Of the session at hand. */
  private token: string | null = null;
  private lastSeq = 0;
  private ackedSeq = 0;
  private fromS = 0;
  private finalS = 0;

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
    if (this.ring.isFull) return this.over(new Problem("failed", "the server is far behind"));
    this.heardSamples += pcm.byteLength / 2;
    this.ring.add(pcm);
    this.sendAll();
  }

  commit(): void {
    this.say({ type: "commit" });
  }

  /** Change how segments close; of how they did nothing stays, as it may not go with it. */
  configure(change: Parameters): void {
    const { endpoint, silence_ms, threshold, prefix_padding_ms, ...rest } = this.parameters;
    this.parameters = { ...rest, ...change };
    this.say({ type: "config", ...change });
  }

  /** No more audio: the last final comes, then onEnd. */
  end(): void {
    this.isEnding = true;
    this.say({ type: "end" });
    if (this.isOpen) this.expectEnd();
    else if (!this.wasEverOpen && !this.socket) this.over(this.away);
  }

  /** Wait no longer for a server that is away. */
  giveUp(): void {
    this.over(this.away);
  }

  private say(message: ClientMessage): void {
    this.ring.add(JSON.stringify(message));
    this.sendAll();
  }

  private sendAll(): void {
    if (!this.isOpen || this.isDraining) return;
    for (let said = this.ring.next(); said !== undefined; said = this.ring.next()) {
      this.socket?.send(said);
    }
    this.expectAnswer();
  }

  private connect(): void {
    const socket = new WebSocket(this.address(), subprotocols());
    this.socket = socket;
    this.timer = setTimeout(() => this.leave(), PATIENCE_MS);
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      this.hear(JSON.parse(data) as ServerMessage);
    };
    socket.onclose = () => void this.closed();
  }

  private address(): string {
    const url = new URL("v1/stream", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const resumption = { resume: this.token, after_seq: this.lastSeq };
    for (const [name, value] of Object.entries(this.token ? resumption : this.parameters)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
  }

  private hear(message: ServerMessage): void {
    if (message.type === "resumed") return this.resume(message.audio_bytes, message.controls);
    if (message.type === "error" && !this.isOpen) return this.refused(message);
    this.note(message);
    if (message.type === "ready") this.open(message.resume ?? null);
    this.hearer.onMessage(message, this.fromS);
    if (message.type === "bye") this.part(message);
  }

  private note(message: ServerMessage): void {
    this.lastSeq = message.seq;
    this.attempt = 0;
    this.lostAtMs = null;
    if (message.type === "received") this.ring.came(message.audio_bytes, message.controls);
    this.answered();
    if (message.seq - this.ackedSeq >= ACK_EVERY) this.acknowledge();
    if (message.type === "final") this.finalS = message.end_s;
    if (message.type === "warning" && message.code === "draining") this.isDraining = true;
    if (message.type === "error") this.failure = message;
  }

  private acknowledge(): void {
    this.ackedSeq = this.lastSeq;
    if (this.isOpen) this.socket?.send(JSON.stringify({ type: "ack", seq: this.lastSeq }));
  }

  private open(token: string | null): void {
    this.token = token;
    this.isDraining = false;
    this.failure = null;
    this.ring.beginSession();
    this.start();
  }

  private resume(bytes: number, controls: number): void {
    this.ring.came(bytes, controls);
    this.ring.sendAgain();
    this.start();
    this.hearer.onResumed();
  }

  private start(): void {
    clearTimeout(this.timer);
    this.isOpen = true;
    this.wasEverOpen = true;
    this.away = new Problem("gone");
    this.sendAll();
    if (this.isEnding) this.expectEnd();
  }

  /** Nothing opens; the close follows, and then another try where there may be room later. */
  private refused(error: Error): void {
    if (error.code === "resume_lost") return this.lose();
    this.away = problemOf(error);
    if (!this.wasEverOpen || error.retry_after_s === undefined) this.over(this.away);
  }

  private part(bye: Bye): void {
    // The close follows, and then another server.
    if (bye.reason === "shutdown" && this.hasMore) return this.follow(bye.audio_s);
    if (bye.reason === "end" || bye.reason === "shutdown") return this.over(null);
    // A server that had no time to finish: another may go on.
    if (this.hasMore && FOLLOWED.includes(this.failure?.code ?? "")) return this.lose();
    this.over(this.failure ? problemOf(this.failure) : new Problem("failed", bye.reason));
  }

  /** Whether a session that follows would have anything to hear: its end alone is nothing. */
  private get hasMore(): boolean {
    const [first] = this.ring.all;
    return !this.isEnding || (first !== undefined && first !== END);
  }

  /** Let a new session follow, behind so many seconds of the one at hand. */
  private follow(audioS: number): void {
    this.fromS += audioS;
    this.token = null;
    this.lastSeq = this.ackedSeq = this.finalS = 0;
    this.ring.beginSession();
  }

  private lose(): void {
    // A final may tell of audio whose coming was not confirmed yet: it is not heard twice.
    this.ring.came(Math.round(this.finalS * RATE_HZ) * 2, 0);
    const cameS = this.ring.bytes / BYTES_PER_S;
    this.hearer.onGap(this.fromS + Math.min(this.finalS, cameS), this.fromS + cameS);
    if (this.hasMore) this.follow(cameS);
    else this.over(null);
  }

  private expectEnd(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.over(new Problem("gone")), PATIENCE_MS);
  }

  private expectAnswer(): void {
    if (this.ring.isOwed) this.stallTimer ??= setTimeout(() => this.leave(), STALL_MS);
  }

  private answered(): void {
    clearTimeout(this.stallTimer);
    this.stallTimer = undefined;
    if (!this.isOpen) return;
    this.expectAnswer();
    if (this.isEnding) this.expectEnd();
  }

  /** Take the socket for broken: its own close may take for ever. */
  private leave(): void {
    this.drop();
    void this.closed();
  }

  private drop(): void {
    if (!this.socket) return;
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  private async closed(): Promise<void> {
    clearTimeout(this.timer);
    clearTimeout(this.stallTimer);
    this.stallTimer = undefined;
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.socket = null;
    if (this.isOver) return;
    if (wasOpen) this.broken();
    const reason = await diagnose();
    if (this.isOver) return;
    if (reason === "key") return this.askForKey();
    const isHopeless = reason?.kind === "forbidden" || !this.wasEverOpen;
    if (reason && isHopeless) return this.over(reason);
    if (!this.wasEverOpen) this.unopened();
    else this.again(reason);
  }

  private broken(): void {
    this.hearer.onBroken();
    if (!this.token && this.lastSeq > 0) this.lose();
  }

  /** Whatever stands between may let pages through, and no sockets. */
  private unopened(): void {
    this.away = new Problem("unopened");
    if (this.attempt === FIRST_TRIES - 1) return this.over(this.away);
    if (this.attempt === 0) this.hearer.onUnopened(this.away);
    this.again(null);
  }

  private async askForKey(): Promise<void> {
    const isGiven = await this.hearer.onKeyWanted();
    if (this.isOver) return;
    if (isGiven) this.connect();
    else this.over(null);
  }

  private again(reason: Problem | null): void {
    this.lostAtMs ??= Date.now();
    if (Date.now() - this.lostAtMs > GIVE_UP_MS) return this.over(reason ?? this.away);
    const wait = BACK_OFF_MS[Math.min(this.attempt++, BACK_OFF_MS.length - 1)]!;
    this.timer = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
  }

  private over(problem: Problem | null): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    clearTimeout(this.stallTimer);
    this.drop();
    this.hearer.onEnd(problem);
  }
}
