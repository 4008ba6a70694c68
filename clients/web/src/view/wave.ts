// The last seconds of the microphone as bars: those whose text has come stand out.

import type { Frame } from "../capture/framer";
import { byId } from "./dom";

const BAR_S = 0.08; // one frame
const BAR_PX = 3;
const STEP_PX = 5;
const FLOOR_DB = -54;
const CONTRAST = 1.8; // decibels alone make all speech look alike

const canvas = byId<HTMLCanvasElement>("wave");
const level = byId("level");
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

let bars: number[] = [];
let nBars = 0;
let lastAtMs = 0;
let coveredS = 0;
let ends: number[] = [];
let isRunning = false;

/** Begin anew. */
export function startWave(): void {
  bars = [];
  ends = [];
  nBars = coveredS = 0;
  isRunning = true;
  requestAnimationFrame(draw);
}

export function stopWave(): void {
  isRunning = false;
  setLevel(0);
  draw();
}

export function addToWave(frame: Frame): void {
  const loudest = Math.max(0, ...frame.peaks);
  bars.push(loudness(loudest));
  nBars++;
  lastAtMs = performance.now();
  if (bars.length > 1000) bars = bars.slice(-600);
  setLevel(loudness(loudest), loudest > 0.985);
}

/** The text covers the recording up to here. */
export function coverWave(seconds: number): void {
  coveredS = Math.max(coveredS, seconds);
}

/** A segment ended here. */
export function markWave(seconds: number): void {
  ends.push(seconds);
}

/** From -54 dB to full scale, as 0..1: as ears judge it. */
export function loudness(peak: number): number {
  return peak > 0 ? Math.max(0, 1 - (20 * Math.log10(peak)) / FLOOR_DB) : 0;
}

function setLevel(value: number, isClipped = false): void {
  level.style.setProperty("--level", String(value));
  level.classList.toggle("clipped", isClipped);
  level.setAttribute("aria-valuenow", String(Math.round(value * 100)));
}

function draw(): void {
  const { width, height, pen } = prepare();
  const colour = colours();
  const sinceMs = reducedMotion.matches ? 0 : Math.min(performance.now() - lastAtMs, 80);
  const shift = isRunning ? (sinceMs / 80) * STEP_PX : 0;
  const fits = Math.ceil(width / STEP_PX) + 1;
  const middle = height / 2;
  for (let back = 0; back < fits; back++) {
    const x = width - (back + 1) * STEP_PX - shift + STEP_PX;
    const bar = bars[bars.length - 1 - back];
    const tall = bar === undefined ? 0 : bar ** CONTRAST * (height - 4);
    const isCovered = (nBars - back) * BAR_S <= coveredS;
    pen.fillStyle = bar === undefined ? colour.rest : isCovered ? colour.heard : colour.ahead;
    pen.beginPath();
    pen.roundRect(x, middle - Math.max(BAR_PX, tall) / 2, BAR_PX, Math.max(BAR_PX, tall), BAR_PX / 2);
    pen.fill();
  }
  pen.fillStyle = colour.end;
  for (const end of ends) {
    const x = width - (nBars - end / BAR_S) * STEP_PX - shift;
    if (x > 0) pen.fillRect(x, 2, 1, height - 4);
  }
  if (isRunning) requestAnimationFrame(draw);
}

function prepare() {
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d")!;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { width, height, pen };
}

/** The style sheet's own: a canvas knows no themes. */
function colours() {
  const style = getComputedStyle(canvas);
  const [heard, ahead, rest, end] = ["color", "accent-color", "border-top-color", "caret-color"].map(
    (name) => style.getPropertyValue(name),
  );
  return { heard: heard!, ahead: ahead!, rest: rest!, end: end! };
}

addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
byId("theme").addEventListener("click", draw);
draw();
