// What is wrong, above the controls, until it is mended or put away.

import { wordsOf, type Problem, type Words } from "../problems";
import { button, byId, make } from "./dom";

const place = byId("problem");

/** Show a problem, with what the person may do at once. */
export function showProblem(problem: Problem, again?: () => void): void {
  show(wordsOf(problem), "wrong", again);
}

/** Show something to know. */
export function showNotice(words: Words): void {
  show(words, "notice");
}

export function hideBanner(): void {
  place.hidden = true;
  place.replaceChildren();
}

function show({ title, text }: Words, tone: string, again?: () => void): void {
  const away = button("quiet close", "×", hideBanner);
  away.setAttribute("aria-label", "Dismiss");
  const words = make("p", "", make("strong", "", title), " ", text);
  const act = again && button("plain", "Try again", again);
  place.dataset["tone"] = tone;
  place.replaceChildren(words, ...(act ? [act] : []), away);
  place.hidden = false;
}
