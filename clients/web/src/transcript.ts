// What was heard: takes (a recording, a file), their segments, and their words with times.

import type { Final, Partial, Word } from "./messages";

/** A closed segment. */
export interface Segment {
  text: string;
  words: Word[];
  startS: number;
  endS: number;
}

/** One recording or file. */
export interface Take {
  title: string;
  segments: Segment[];
  /** Text of the segment that is not closed yet. */
  open: string;
  openAtS: number;
  /** Up to here the audio was heard of which the open text tells. */
  openEndS: number;
  durationS: number;
  model: string;
  delayMs: number;
}

export function newTake(title: string): Take {
  const open = { open: "", openAtS: 0, openEndS: 0 };
  return { title, segments: [], ...open, durationS: 0, model: "", delayMs: 0 };
}

/** Let the open segment grow. fromS: where in the take the message's session began. */
export function addPartial(take: Take, partial: Partial, fromS: number): void {
  if (!take.open) take.openAtS = partial.at_s + fromS;
  take.open = partial.text;
  take.openEndS = partial.at_s + fromS;
}

/** Close the open segment; one in which nothing was said leaves no trace. */
export function addFinal(take: Take, final: Final, fromS: number): void {
  take.open = "";
  if (final.text) take.segments.push(segmentOf(final, fromS));
}

/** Keep what had been heard of a segment that will not be closed any more. */
export function keepOpenText(take: Take): void {
  take.segments = allSegments(take);
  take.open = "";
}

/** The segments, and what is open as one without words. */
export function allSegments(take: Take): Segment[] {
  const { segments, open: text, openAtS: startS, openEndS: endS } = take;
  return text.trim() ? [...segments, { text: text.trim(), words: [], startS, endS }] : segments;
}

function segmentOf(final: Final, fromS: number): Segment {
  const words = final.words.map((word) => ({
    ...word,
    start_s: word.start_s + fromS,
    end_s: word.end_s + fromS,
  }));
  const startS = words[0]?.start_s ?? final.start_s + fromS;
  return { text: final.text, words, startS, endS: words.at(-1)?.end_s ?? final.end_s + fromS };
}

/** The words of segments, the first of each set apart from the one before. */
export function wordsOf(segments: Segment[]): Word[] {
  return segments.flatMap(({ words }, index) =>
    words.map((word, at) => (at === 0 && index > 0 ? { ...word, space_before: true } : word)),
  );
}

export function textOf(take: Take): string {
  return allSegments(take)
    .map(({ text }) => text)
    .join("\n");
}

/** Seconds as 0:07 or 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(whole % 60)}`;
}
