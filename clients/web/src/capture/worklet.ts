// The audio thread's side of the microphone.

import { Framer, type Frame } from "./framer";

// TypeScript has no library for this scope beside the page's own.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: unknown): void;

class Capture extends AudioWorkletProcessor {
  private isOpen = true;
  private readonly framer = new Framer(sampleRate, (frame: Frame) =>
    this.port.postMessage(frame, [frame.pcm]),
  );

  constructor() {
    super();
    this.port.onmessage = () => this.stop();
  }

  process([input]: Float32Array[][]): boolean {
    const mono = input?.[0];
    if (this.isOpen && mono) this.framer.push(mono);
    return this.isOpen;
  }

  private stop(): void {
    this.isOpen = false;
    this.framer.flush();
    this.port.postMessage(null); // nothing will follow
  }
}

registerProcessor("capture", Capture);
