// The page's pure parts, called from Python: a line of JSON in, a line of JSON out.
import { createInterface } from "node:readline";
import { Framer } from "../../../clients/web/src/capture/framer";
import { Resampler } from "../../../clients/web/src/capture/resample";
import { render } from "../../../clients/web/src/formats";
import { Ring } from "../../../clients/web/src/ring";
import { keyIn } from "../../../clients/web/src/server";
import { addPartial, keepOpenText, newTake } from "../../../clients/web/src/transcript";
import { EventReader } from "../../../clients/web/src/upload";

const calls = {
  ring: heard,
  key: keyIn,
  srt: (words) => render(takeOf([{ text: "", words, startS: 0, endS: 0 }]), "srt"),
  vtt: (words) => render(takeOf([{ text: "", words, startS: 0, endS: 0 }]), "vtt"),
  render: ({ segments, format }) => render(takeOf(segments), format),

  // The segments of a take whose session was lost after these partials.
  lost({ partials, fromS, durationS }) {
    const take = takeOf([]);
    for (const partial of partials) addPartial(take, partial, fromS);
    take.durationS = durationS;
    keepOpenText(take);
    return take.segments;
  },

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
    const reader = new EventReader(watcher, () => ({ model: "embedded", delayMs: 480 }));
    for (const text of texts) reader.read(text);
    reader.end(texts.at(-1) ?? "");
    return told;
  },
};

function takeOf(segments) {
  return { ...newTake("Recording"), segments };
}

// What a server hears of what is said, when it is sent in these steps; audio is a list of bytes.
function heard({ said, steps }) {
  const ring = new Ring();
  const server = [];
  const left = said.map((each) => (typeof each === "string" ? each : Uint8Array.from(each).buffer));
  let [bytes, controls] = [0, 0];
  for (const step of steps) {
    if (step === "say") {
      if (left.length) ring.add(left.shift());
    } else if (step === "send") {
      const next = ring.next();
      if (next === undefined) continue;
      server.push(typeof next === "string" ? next : [...new Uint8Array(next)]);
      if (typeof next === "string") controls++;
      else bytes += next.byteLength;
    } else {
      if (step === "lose") ring.next();
      ring.came(bytes, controls);
      if (step === "lose" || step === "cut") ring.sendAgain();
      if (step === "end") {
        ring.beginSession();
        [bytes, controls] = [0, 0];
      }
    }
  }
  return { server, kept: ring.all.length };
}

function plain(value) {
  return value instanceof Error ? { kind: value.kind, detail: value.detail } : value;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, argument } = JSON.parse(line);
  console.log(JSON.stringify(calls[call](argument)));
}
