// What the microphone's thread does with its samples: 16 kHz, PCM16, cut into frames.

import { Resampler } from "./resample";

export const RATE_HZ = 16000;
/** 80 ms: what the model takes at a time. */
export const FRAME_SAMPLES = 1280;
/** 20 ms: what one bar of the waveform shows. */
const BAR_SAMPLES = 320;

/** Samples as the server takes them, and the loudest of each 20 ms, in 0..1. */
export interface Frame {
  pcm: ArrayBuffer;
  peaks: number[];
}

/** Cuts a stream of samples at any rate into frames. */
export class Framer {
  private readonly resampler: Resampler | null;
  private frame = new Int16Array(FRAME_SAMPLES);
  private filled = 0;

  constructor(
    rateHz: number,
    private readonly emit: (frame: Frame) => void,
  ) {
    this.resampler = rateHz === RATE_HZ ? null : new Resampler(rateHz, RATE_HZ);
  }

  push(samples: Float32Array): void {
    this.write(this.resampler ? this.resampler.push(samples) : samples);
  }

  /** Emit what is left, a shorter frame. */
  flush(): void {
    if (this.resampler) this.write(this.resampler.flush());
    if (this.filled) this.send();
  }

  private write(samples: Float32Array): void {
    for (const sample of samples) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.frame[this.filled++] = Math.round(clipped * 32767);
      if (this.filled === FRAME_SAMPLES) this.send();
    }
  }

  private send(): void {
    const whole = this.frame.slice(0, this.filled);
    const peaks: number[] = [];
    for (let at = 0; at < whole.length; at += BAR_SAMPLES) {
      peaks.push(peak(whole.subarray(at, at + BAR_SAMPLES)));
    }
    this.filled = 0;
    this.emit({ pcm: whole.buffer, peaks });
  }
}

function peak(samples: Int16Array): number {
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) / 32768;
}
