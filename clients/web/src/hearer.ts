// Who is told what becomes of a stream.

import type { ServerMessage } from "./messages";
import type { Problem } from "./problems";

/** What a stream tells. */
export interface Hearer {
  /** A message of the server. fromS: where on the recording its session's clock began. */
  onMessage(message: ServerMessage, fromS: number): void;
  /** The server answers, and no socket to it opens; it is tried a few times more. */
  onUnopened(problem: Problem): void;
  /** The socket broke; it is tried again. */
  onBroken(): void;
  /** The session goes on where it was: nothing is lost. */
  onResumed(): void;
  /** The session was lost: what was said in between may be missing. */
  onGap(fromS: number, toS: number): void;
  /** The server wants a key; resolve to true to try again. */
  onKeyWanted(): Promise<boolean>;
  /** It is over: as wished, or by a problem. */
  onEnd(problem: Problem | null): void;
}
