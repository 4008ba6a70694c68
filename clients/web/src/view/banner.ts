// What is wrong, above the controls, until it is mended or put away.

import { wordsOf, type Problem, type Words } from "../problems";
import { button, byId, make } from "./dom";

type Act = () => void;

const place = byId("problem");

/** Show a problem, with what the person may do at once. */
export function showProblem(problem: Problem, again?: Act): void {
  show(wordsOf(problem), "wrong", again);
}

/** Show something to know; returns what puts it away when it holds no longer. */
export function showNotice(words: Words): Act {
  const shown = show(words, "notice");
  return () => {
    if (shown.isConnected) hideBanner();
  };
}

export function hideBanner(): void {
  if (place.contains(document.activeElement)) byId("record").focus();
  place.hidden = true;
  place.replaceChildren();
}

function show({ title, text }: Words, tone: string, again?: Act): Element {
  const away = button("quiet close", "×", hideBanner);
  away.setAttribute("aria-label", "Dismiss");
  const words = make("p", "", make("strong", "", title), " ", text);
  const act = again && button("plain", "Try again", again);
  place.dataset["tone"] = tone;
  place.replaceChildren(words, ...(act ? [act] : []), away);
  place.hidden = false;
  return words;
}
