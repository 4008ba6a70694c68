// A file to text: sent with its progress, heard through server-sent events.

import type { Word } from "./messages";
import { Problem } from "./problems";
import { headers } from "./server";
import type { Segment } from "./transcript";

/** By which model, and how far ahead it heard. */
export interface Served {
  model: string;
  delayMs: number;
}

/** What an upload tells. */
export interface Watcher {
  /** A part of the file, 0..1, has been sent. */
  onSent(part: number): void;
  /** So much was heard; total is null where the file does not say how long it is. */
  onHeard(doneS: number, totalS: number | null): void;
  onText(delta: string): void;
  onDone(segments: Segment[], durationS: number, served: Served): void;
  onKeyWanted(): void;
  onProblem(problem: Problem): void;
}

interface TimedWord {
  word: string;
  start: number;
  end: number;
  confidence?: number | null;
}

interface Done {
  type: "transcript.text.done";
  text: string;
  duration?: number | null;
  words?: TimedWord[] | null;
  segments?: { text: string; start: number; end: number }[] | null;
}

type StreamEvent =
  | { type: "transcript.text.delta"; delta: string }
  | Done
  | { type?: "error"; error: { message: string } };

/** Send a file; returns what stops it. */
export function upload(file: File, delayMs: number | undefined, watcher: Watcher): () => void {
  const request = new XMLHttpRequest(); // fetch does not tell how much was sent
  const events = new EventReader(watcher, () => ({
    model: request.getResponseHeader("x-voxwire-model") ?? "",
    delayMs: Number(request.getResponseHeader("x-voxwire-delay-ms")),
  }));
  request.open("POST", "v1/audio/transcriptions");
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  request.upload.onprogress = ({ loaded, total }) => watcher.onSent(total ? loaded / total : 0);
  request.upload.onload = () => watcher.onSent(1);
  request.onprogress = () => {
    if (request.status === 200) events.read(request.responseText);
  };
  request.onload = () => {
    if (request.status === 401) watcher.onKeyWanted();
    else if (request.status === 200) events.end(request.responseText);
    else watcher.onProblem(refusal(request));
  };
  request.onerror = () => watcher.onProblem(new Problem("gone"));
  request.send(formOf(file, delayMs));
  return () => request.abort();
}

function formOf(file: File, delayMs: number | undefined): FormData {
  const form = new FormData();
  form.set("stream", "true");
  form.set("response_format", "verbose_json");
  form.append("timestamp_granularities[]", "word");
  form.append("timestamp_granularities[]", "segment");
  if (delayMs) form.set("delay_ms", String(delayMs));
  form.set("file", file);
  return form;
}

function refusal(request: XMLHttpRequest): Problem {
  try {
    const body = JSON.parse(request.responseText) as { error: { message: string } };
    return new Problem(request.status === 503 ? "full" : "upload", body.error.message);
  } catch {
    return new Problem("upload", `the server answered ${request.status}`);
  }
}

/** Reads server-sent events from a text that grows. */
export class EventReader {
  private at = 0;
  private isDone = false;

  constructor(
    private readonly watcher: Watcher,
    private readonly served: () => Served,
  ) {}

  read(text: string): void {
    for (;;) {
      const end = text.indexOf("\n\n", this.at);
      if (end < 0) return;
      for (const line of text.slice(this.at, end).split("\n")) this.line(line);
      this.at = end + 2;
    }
  }

  /** Read the rest; a stream without its last event was cut off. */
  end(text: string): void {
    this.read(`${text}\n\n`);
    if (this.isDone) return;
    this.isDone = true;
    this.watcher.onProblem(new Problem("upload", "the answer ended early"));
  }

  private line(line: string): void {
    const progress = /^: progress (\{.*\})$/.exec(line);
    if (progress) {
      const { done_s, total_s } = JSON.parse(progress[1]!) as Record<string, number | null>;
      this.watcher.onHeard(done_s ?? 0, total_s ?? null);
    }
    if (line.startsWith("data: {")) this.event(JSON.parse(line.slice(6)) as StreamEvent);
  }

  private event(event: StreamEvent): void {
    if ("error" in event) {
      this.isDone = true;
      this.watcher.onProblem(new Problem("upload", event.error.message));
    } else if (event.type === "transcript.text.delta") {
      this.watcher.onText(event.delta);
    } else if (event.type === "transcript.text.done") {
      this.isDone = true;
      this.watcher.onDone(segmentsOf(event), event.duration ?? 0, this.served());
    }
  }
}

/** Cut the words at the segments' ends; without times all is one segment. */
export function segmentsOf(done: Done): Segment[] {
  const words = placed(done.text, done.words ?? []);
  const ends = done.segments?.map((segment) => segment.end) ?? [];
  const segments: Segment[] = [];
  for (const end of [...ends, Infinity]) {
    const last = words.findLastIndex((word) => word.end_s <= end + 1e-6);
    const own = words.splice(0, last + 1);
    if (own.length) segments.push(segmentOf(own));
  }
  if (segments.length || !done.text) return segments;
  return [{ text: done.text, words: [], startS: 0, endS: done.duration ?? 0 }];
}

/** Give each word whether a space stands before it in the text. */
function placed(text: string, words: TimedWord[]): Word[] {
  let at = 0;
  return words.map(({ word, start, end, confidence }) => {
    const found = text.indexOf(word, at);
    const space_before = found > 0 && text[found - 1] === " ";
    if (found >= 0) at = found + word.length;
    const timed: Word = { text: word, start_s: start, end_s: end, space_before };
    return confidence == null ? timed : { ...timed, confidence };
  });
}

function segmentOf(words: Word[]): Segment {
  const text = words.map((word) => (word.space_before ? " " : "") + word.text).join("").trim();
  return { text, words, startS: words[0]!.start_s, endS: words.at(-1)!.end_s };
}
