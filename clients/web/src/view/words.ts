// The words of a segment: their times on hover, and by the arrow keys.

import type { Word } from "../messages";
import { byId, make } from "./dom";

const tip = byId("tip");
/** The word whose times are shown. */
let pointed: HTMLElement | null = null;
const timesOf = new WeakMap<Element, Word>();

/** Make the spans of words, with the spaces between them. */
export function wordSpans(words: Word[]): (Node | string)[] {
  return words.flatMap((word, index) => {
    const span = make("span", "word", word.text);
    span.tabIndex = -1;
    timesOf.set(span, word);
    return index > 0 && word.space_before ? [" ", span] : [span];
  });
}

/** Let words be reached: one by Tab, the others from there by the arrow keys. */
export function makeWordsReachable(region: HTMLElement): void {
  region.addEventListener("pointerover", ({ target }) => point(target));
  region.addEventListener("pointerout", hide);
  region.addEventListener("focusin", ({ target }) => point(target));
  region.addEventListener("focusout", hide);
  region.addEventListener("keydown", (event) => {
    const words = [...region.querySelectorAll<HTMLElement>(".word")];
    const at = words.indexOf(event.target as HTMLElement);
    const to = at < 0 ? undefined : words[next(event.key, at, words.length)];
    if (!to) return;
    event.preventDefault();
    for (const word of words) word.tabIndex = word === to ? 0 : -1;
    to.focus();
  });
  // Going to a word may scroll the page, and its times go with it.
  addEventListener("scroll", () => (pointed === document.activeElement ? place() : hide()), {
    passive: true,
  });
}

/** Let Tab lead to the newest word, if it leads to none yet. */
export function offerWord(region: HTMLElement): void {
  if (region.querySelector('.word[tabindex="0"]')) return;
  const last = [...region.querySelectorAll<HTMLElement>(".word")].at(-1);
  if (last) last.tabIndex = 0;
}

function next(key: string, at: number, count: number): number {
  switch (key) {
    case "ArrowRight":
      return at + 1;
    case "ArrowLeft":
      return at - 1;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return -1;
  }
}

function point(target: EventTarget | null): void {
  const word = target instanceof Element ? timesOf.get(target) : undefined;
  if (!word || !(target instanceof HTMLElement)) return;
  hide();
  pointed = target;
  tip.textContent = times(word);
  tip.hidden = false;
  target.setAttribute("aria-describedby", "tip");
  place();
}

function place(): void {
  if (!pointed) return;
  const box = pointed.getBoundingClientRect();
  const width = tip.offsetWidth;
  const left = Math.min(Math.max(8, box.left + (box.width - width) / 2), innerWidth - width - 8);
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(8, box.top - tip.offsetHeight - 6)}px`;
}

function hide(): void {
  tip.hidden = true;
  pointed?.removeAttribute("aria-describedby");
  pointed = null;
}

function times(word: Word): string {
  const sure = word.confidence === undefined ? "" : ` · ${Math.round(word.confidence * 100)} %`;
  return `${word.start_s.toFixed(2)} to ${word.end_s.toFixed(2)} s${sure}`;
}
