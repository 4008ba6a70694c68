// What was said and may not have reached the server, in order: audio, and messages.

/** Audio beyond this is not kept: a server that is further behind will not catch up. */
export const MAX_KEPT_BYTES = 150 * 32000;

/** The server confirms messages at once, and audio when there is so much more of it. */
const CONFIRMED_BYTES = 16000;

/** Audio, or a message as JSON. */
export type Said = ArrayBuffer | string;

/** Counts as the server does: bytes of audio, and messages, of the session at hand. */
export class Ring {
  /** Audio of the session before what is kept. */
  bytes = 0;
  private controls = 0;
  private kept: Said[] = [];
  private keptBytes = 0;
  /** Of what is kept, over the socket at hand. */
  private sent = 0;

  get isFull(): boolean {
    return this.keptBytes >= MAX_KEPT_BYTES;
  }

  /** Whether the server should have answered what is kept. */
  get isOwed(): boolean {
    return this.keptBytes >= CONFIRMED_BYTES || this.kept.some((said) => typeof said === "string");
  }

  /** What is kept, in order. */
  get all(): readonly Said[] {
    return this.kept;
  }

  add(said: Said): void {
    this.kept.push(said);
    this.keptBytes += bytesOf(said);
  }

  /** What to send next; undefined where all is sent. */
  next(): Said | undefined {
    return this.sent < this.kept.length ? this.kept[this.sent++] : undefined;
  }

  /** Forget what came, by the server's count. */
  came(bytes: number, controls: number): void {
    for (let first = this.kept[0]; first !== undefined; first = this.kept[0]) {
      if (typeof first === "string") {
        if (this.controls >= controls) return;
        this.controls++;
      } else if (this.bytes + first.byteLength > bytes) {
        return this.cut(first, bytes - this.bytes);
      }
      this.bytes += bytesOf(first);
      this.keptBytes -= bytesOf(first);
      this.kept.shift();
      this.sent = Math.max(0, this.sent - 1);
    }
  }

  /** Begin with what is kept, over a new socket. */
  sendAgain(): void {
    this.sent = 0;
  }

  /** Let what is kept be the first that a new session hears. */
  beginSession(): void {
    this.bytes = this.controls = this.sent = 0;
  }

  private cut(first: ArrayBuffer, came: number): void {
    if (came <= 0) return;
    this.kept[0] = first.slice(came);
    this.bytes += came;
    this.keptBytes -= came;
  }
}

function bytesOf(said: Said): number {
  return typeof said === "string" ? 0 : said.byteLength;
}
