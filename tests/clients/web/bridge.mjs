// The page's pure parts, called from Python: a line of JSON in, a line of JSON out.
import { createInterface } from "node:readline";
import { Framer } from "../../../clients/web/src/capture/framer";
import { Resampler } from "../../../clients/web/src/capture/resample";
import { toSrt, toVtt } from "../../../clients/web/src/formats";
import { EventReader } from "../../../clients/web/src/upload";

const calls = {
  srt: (words) => toSrt(words),
  vtt: (words) => toVtt(words),

  resample({ from, to, pieces }) {
    const resampler = new Resampler(from, to);
    const parts = pieces.map((piece) => resampler.push(Float32Array.from(piece)));
    return [...parts, resampler.flush()].flatMap((part) => [...part]);
  },

  frames({ rate, pieces }) {
    const frames = [];
    const framer = new Framer(rate, ({ pcm, peaks }) => {
      frames.push({ pcm: [...new Int16Array(pcm)], peaks });
    });
    for (const piece of pieces) framer.push(Float32Array.from(piece));
    framer.flush();
    return frames;
  },

  events(texts) {
    const told = [];
    const names = ["onSent", "onHeard", "onText", "onDone", "onKeyWanted", "onProblem"];
    const tell = (name) => (...values) => told.push([name, ...values.map(plain)]);
    const watcher = Object.fromEntries(names.map((name) => [name, tell(name)]));
    const reader = new EventReader(watcher, () => "embedded");
    for (const text of texts) reader.read(text);
    reader.end(texts.at(-1) ?? "");
    return told;
  },
};

function plain(value) {
  return value instanceof Error ? { kind: value.kind, detail: value.detail } : value;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, argument } = JSON.parse(line);
  console.log(JSON.stringify(calls[call](argument)));
}
