// From any rate to 16 kHz by a windowed-sinc low-pass, in pieces of any length.

/** Zero crossings of the sinc on each side: the steeper, the longer the delay. */
const CROSSINGS = 32;
/** Kaiser's beta, for about 90 dB of what lies above the new Nyquist frequency. */
const BETA = 9;
/** Where the low-pass is at half, of the lower Nyquist frequency: all above 1 is 90 dB down. */
const CUTOFF = 0.91;

/** Turns a stream of samples into one at another rate. Any cutting gives the same samples. */
export class Resampler {
  private readonly up: number;
  private readonly down: number;
  private readonly half: number;
  /** For each of the `up` places between two input samples, the taps around it. */
  private readonly phases: Float32Array[];
  private kept: Float32Array<ArrayBufferLike>;
  /** Of the input, where `kept` begins; before the first sample there was silence. */
  private keptFrom: number;
  private emitted = 0;

  constructor(fromHz: number, toHz: number) {
    const divisor = gcd(fromHz, toHz);
    this.up = toHz / divisor;
    this.down = fromHz / divisor;
    const scale = Math.min(1, toHz / fromHz);
    this.half = Math.ceil(CROSSINGS / scale);
    this.phases = Array.from({ length: this.up }, (_, phase) =>
      taps(phase / this.up, this.half, scale * CUTOFF),
    );
    this.kept = new Float32Array(this.half);
    this.keptFrom = -this.half;
  }

  /** Take samples; return those that are complete, which lag behind by the filter's half. */
  push(samples: Float32Array): Float32Array {
    const kept = new Float32Array(this.kept.length + samples.length);
    kept.set(this.kept);
    kept.set(samples, this.kept.length);
    const complete = this.keptFrom + kept.length - this.half; // input up to here has all its taps
    const until = Math.max(this.emitted, Math.ceil((complete * this.up) / this.down));
    const result = new Float32Array(until - this.emitted);
    for (let index = 0; index < result.length; index++) result[index] = this.at(kept, index);
    this.emitted = until;
    this.keep(kept);
    return result;
  }

  /** Return the rest, as if silence followed. */
  flush(): Float32Array {
    return this.push(new Float32Array(this.half));
  }

  private at(kept: Float32Array, index: number): number {
    const place = (this.emitted + index) * this.down;
    const centre = Math.floor(place / this.up);
    const phase = this.phases[place % this.up]!;
    const first = centre - this.half + 1 - this.keptFrom;
    let sum = 0;
    for (let tap = 0; tap < phase.length; tap++) sum += phase[tap]! * kept[first + tap]!;
    return sum;
  }

  private keep(kept: Float32Array): void {
    const next = Math.floor((this.emitted * this.down) / this.up) - this.half + 1;
    const drop = Math.min(kept.length, Math.max(0, next - this.keptFrom));
    this.kept = kept.slice(drop);
    this.keptFrom += drop;
  }
}

function taps(offset: number, half: number, cutoff: number): Float32Array {
  const result = new Float32Array(2 * half);
  for (let tap = 0; tap < result.length; tap++) {
    const distance = tap - half + 1 - offset;
    result[tap] = cutoff * sinc(cutoff * distance) * kaiser(distance / half);
  }
  const gain = result.reduce((sum, value) => sum + value, 0); // 1 up to the window's own ripple
  return result.map((value) => value / gain);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA);
}

/** The modified Bessel function of order zero, by its series. */
function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
