// A take as a file: TXT, JSON, SRT, WebVTT, as `voxwire transcribe` writes them.

import type { Word } from "./messages";
import { allSegments, textOf, wordsOf, type Segment, type Take } from "./transcript";

export type Format = "txt" | "srt" | "vtt" | "json";

const MEDIA_TYPES: Record<Format, string> = {
  txt: "text/plain",
  srt: "application/x-subrip",
  vtt: "text/vtt",
  json: "application/json",
};

/** Hand a take to the person as a file. */
export function download(take: Take, format: Format): void {
  const blob = new Blob([render(take, format)], { type: `${MEDIA_TYPES[format]};charset=utf-8` });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${fileName(take.title)}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function fileName(title: string): string {
  // Without a file's ending; some write times with dots, as in "Recording 10.32.05".
  return title.replace(/\.(?=\d*[a-z])[a-z0-9]{1,5}$/i, "").replace(/[^\p{L}\p{N}._-]+/gu, "-");
}

export function render(take: Take, format: Format): string {
  switch (format) {
    case "txt":
      return `${textOf(take)}\n`;
    case "srt":
      return toSrt(cues(allSegments(take)));
    case "vtt":
      return toVtt(cues(allSegments(take)));
    case "json":
      return toJson(take);
  }
}

function toJson(take: Take): string {
  const segments = allSegments(take);
  const whole = {
    text: joinWords(wordsOf(segments.map(withWords))),
    words: wordsOf(segments),
    segments: segments.map(({ text, startS, endS }) => ({ text, start_s: startS, end_s: endS })),
    duration_s: take.durationS,
    model: take.model,
    delay_ms: take.delayMs,
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

// --- subtitles: the limits of broadcasters, cut at pauses, sentences, clauses ---

const MAX_COLUMNS = 42;
const MAX_CUE_S = 7;
const MIN_CUE_S = 1;
const PAUSE_S = 0.8;
const TICK_S = 0.001;
const CLOSERS = "[\"'”’»）)\\]」』]*$";
const SENTENCE_END = new RegExp(`[.?!…。？！؟।]${CLOSERS}`);
const CLAUSE_END = new RegExp(`[.?!…。？！؟।,;:،、，；：—]${CLOSERS}`);

interface Cue {
  startS: number;
  endS: number;
  lines: string[];
}

function toSrt(cues: Cue[]): string {
  const blocks = cues.map(
    ({ startS, endS, lines }, index) =>
      `${index + 1}\n${stamp(startS, ",")} --> ${stamp(endS, ",")}\n${lines.join("\n")}\n`,
  );
  return blocks.join("\n");
}

function toVtt(cues: Cue[]): string {
  const blocks = cues.map(
    ({ startS, endS, lines }) =>
      `${stamp(startS, ".")} --> ${stamp(endS, ".")}\n${escape(lines.join("\n"))}\n`,
  );
  return ["WEBVTT\n", ...blocks].join("\n");
}

function cues(segments: Segment[]): Cue[] {
  const blocks = runsOf(segments).flatMap((run) =>
    run[0]!.words.length ? blocksOf(wordsOf(run).flatMap(pieces)) : spreadOut(run[0]!),
  );
  let clockS = 0;
  return blocks.map((block, index) => {
    const startS = Math.max(clockS, toTick(block[0]!.start_s));
    const nextS = blocks[index + 1]?.[0]?.start_s ?? Infinity;
    const shortest = Math.max(Math.min(startS + MIN_CUE_S, nextS), startS + TICK_S);
    clockS = toTick(Math.max(block.at(-1)!.end_s, shortest));
    return { startS, endS: clockS, lines: balanced(block) };
  });
}

/** Segments that follow each other, those without words apart from the others. */
function runsOf(segments: Segment[]): Segment[][] {
  const runs: Segment[][] = [];
  for (const segment of segments) {
    const run = runs.at(-1);
    if (run?.[0]!.words.length && segment.words.length) run.push(segment);
    else runs.push([segment]);
  }
  return runs;
}

/** One block for a segment without words; more, with times by length, where it is long. */
function spreadOut(segment: Segment): Word[][] {
  const texts = segment.text.split(/\s+/).filter(Boolean);
  const stepS = (segment.endS - segment.startS) / texts.join("").length;
  let clockS = segment.startS;
  const words = texts.map((text) => {
    const start_s = clockS;
    clockS += text.length * stepS;
    return { text, start_s, end_s: clockS, space_before: true };
  });
  const block = words.flatMap(pieces);
  return block.length && fits(block) ? [block] : blocksOf(block);
}

/** A segment without words as one long word. */
function withWords(segment: Segment): Segment {
  const { text, words, startS, endS } = segment;
  const whole = { text, start_s: startS, end_s: endS, space_before: true };
  return words.length ? segment : { ...segment, words: [whole] };
}

function blocksOf(words: Word[]): Word[][] {
  const blocks: Word[][] = [];
  let block: Word[] = [];
  for (const word of words) {
    if (block.length && (word.start_s - block.at(-1)!.end_s >= PAUSE_S || isSentence(block))) {
      blocks.push(block);
      block = [];
    }
    while (block.length && !fits([...block, word])) {
      const cut = clauseOf(block);
      blocks.push(block.slice(0, cut));
      block = block.slice(cut);
    }
    block.push(word);
  }
  return block.length ? [...blocks, block] : blocks;
}

function isSentence(block: Word[]): boolean {
  const isEnd = SENTENCE_END.test(block.at(-1)!.text);
  return isEnd && columns(joinWords(block)) > Math.floor(MAX_COLUMNS / 2);
}

function clauseOf(block: Word[]): number {
  for (let cut = block.length; cut > Math.floor(block.length / 2); cut--) {
    if (CLAUSE_END.test(block[cut - 1]!.text)) return cut;
  }
  return block.length;
}

function fits(block: Word[]): boolean {
  return block.at(-1)!.end_s - block[0]!.start_s <= MAX_CUE_S && splits(block).length > 0;
}

function splits(block: Word[]): string[][] {
  const whole = joinWords(block);
  if (columns(whole) <= MAX_COLUMNS) return [[whole]];
  const pairs = block
    .slice(1)
    .map((_, at) => [joinWords(block.slice(0, at + 1)), joinWords(block.slice(at + 1))]);
  return pairs.filter((lines) => lines.every((line) => columns(line) <= MAX_COLUMNS));
}

function balanced(block: Word[]): string[] {
  const widest = (lines: string[]) => Math.max(...lines.map(columns));
  return splits(block).reduce((best, lines) => (widest(lines) < widest(best) ? lines : best));
}

function pieces(word: Word): Word[] {
  const texts = chop(printable(word.text));
  const stepS = (word.end_s - word.start_s) / Math.max(1, texts.length);
  return texts.map((text, index) => ({
    text,
    start_s: word.start_s + index * stepS,
    end_s: index === texts.length - 1 ? word.end_s : word.start_s + (index + 1) * stepS,
    space_before: word.space_before && index === 0,
  }));
}

/** Text on one line, without control characters, which players choke on. */
function printable(text: string): string {
  const kept = text.replace(/\p{Cc}/gu, (char) => (/\s/.test(char) ? " " : ""));
  return kept.split(/\s+/).filter(Boolean).join(" ");
}

function chop(text: string): string[] {
  const parts = [""];
  for (const char of text) {
    if (columns(parts.at(-1)! + char) > MAX_COLUMNS) parts.push("");
    parts[parts.length - 1] += char;
  }
  return text ? parts : [];
}

export function joinWords(words: Word[]): string {
  return words.map((word) => (word.space_before ? " " : "") + word.text).join("").trim();
}

const COMBINING = /\p{Mn}/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function columns(text: string): number {
  let width = 0;
  for (const char of text) width += COMBINING.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function toTick(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function stamp(seconds: number, point: string): string {
  const ms = Math.round(seconds * 1000);
  const part = (value: number, digits: number) => String(value).padStart(digits, "0");
  const [hours, minutes, whole] = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60];
  return `${[hours, minutes, whole].map((each) => part(Math.floor(each), 2)).join(":")}${point}${part(ms % 1000, 3)}`;
}
