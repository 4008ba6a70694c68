// The microphone, from the press of a button to the last sample.

import { Problem } from "../problems";
import { RATE_HZ, type Frame } from "./framer";

/** An open microphone. */
export interface Microphone {
  /** Let it go; resolves when the last frame was delivered. */
  stop(): Promise<void>;
}

/** What a microphone tells. */
export interface Listener {
  onFrame(frame: Frame): void;
  /** It was unplugged, or taken by a call. */
  onLost(): void;
}

/** Open the microphone. Call it from a click: Safari starts no audio otherwise. Throws Problem. */
export async function openMicrophone(listener: Listener): Promise<Microphone> {
  if (!window.isSecureContext || !navigator.mediaDevices) throw new Problem("insecure");
  const early = makeContext();
  void early.resume();
  let stream: MediaStream | undefined;
  try {
    await prepare(early); // before the microphone opens: what is said at once is heard
    stream = await askForStream();
    return await connect(early, stream, listener);
  } catch (error) {
    if (early.state !== "closed") void early.close();
    stream?.getTracks().forEach((track) => track.stop());
    throw problemOf(error);
  }
}

/** Load what takes the samples: it is the server's, which may be gone by now. */
async function prepare(context: AudioContext): Promise<void> {
  try {
    await context.audioWorklet.addModule("static/worklet.js");
  } catch {
    throw new Problem("gone");
  }
}

async function connect(
  early: AudioContext,
  stream: MediaStream,
  listener: Listener,
): Promise<Microphone> {
  const { context, source } = await join(early, stream);
  const node = new AudioWorkletNode(context, "capture", {
    channelCount: 1,
    channelCountMode: "explicit",
  });
  const last = deliver(node, listener);
  for (const track of stream.getAudioTracks()) track.onended = () => listener.onLost();
  const awake = stayAwake(context);
  await context.resume();
  // Last, so that no frame comes before the caller can take it. The destination hears silence, but
  // what leads nowhere may not run.
  source.connect(node).connect(context.destination);
  return {
    async stop() {
      node.port.postMessage(null);
      await last;
      stream.getTracks().forEach((track) => track.stop());
      awake.abort();
      await context.close();
    },
  };
}

/** Connect the stream at 16 kHz where the browser can; Firefox only at the microphone's rate. */
async function join(early: AudioContext, stream: MediaStream) {
  try {
    return { context: early, source: early.createMediaStreamSource(stream) };
  } catch {
    await early.close();
    const context = new AudioContext();
    await prepare(context);
    return { context, source: context.createMediaStreamSource(stream) };
  }
}

function makeContext(): AudioContext {
  try {
    return new AudioContext({ sampleRate: RATE_HZ });
  } catch {
    return new AudioContext();
  }
}

function askForStream(): Promise<MediaStream> {
  // The model was trained on plain recordings; what browsers do against noise and echo eats words.
  const audio = {
    channelCount: 1,
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: true,
  };
  return navigator.mediaDevices.getUserMedia({ audio });
}

function deliver(node: AudioWorkletNode, listener: Listener): Promise<void> {
  return new Promise((resolve) => {
    node.port.onmessage = ({ data }: MessageEvent<Frame | null>) =>
      data ? listener.onFrame(data) : resolve();
    node.onprocessorerror = () => {
      resolve();
      listener.onLost();
    };
  });
}

/** Keep the screen on, and take up again after a call on a phone. Ends with the signal. */
function stayAwake(context: AudioContext): AbortController {
  const end = new AbortController();
  let lock: WakeLockSentinel | undefined;
  const take = async () => {
    if (document.visibilityState !== "visible") return;
    await context.resume().catch(() => undefined);
    lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    if (end.signal.aborted) void lock?.release();
  };
  document.addEventListener("visibilitychange", () => void take(), { signal: end.signal });
  end.signal.addEventListener("abort", () => void lock?.release());
  void take();
  return end;
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return new Problem("refused");
  if (name === "NotFoundError" || name === "OverconstrainedError") return new Problem("nothing");
  return new Problem("broken", error instanceof Error ? error.message : String(error));
}
