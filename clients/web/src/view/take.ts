// A take on the page: its title, its segments, the text that is growing, its downloads.

import { download, type Format } from "../formats";
import { clock, textOf, type Segment, type Take } from "../transcript";
import { showNotice } from "./banner";
import { copyText } from "./copy";
import { announce, button, byId, make } from "./dom";
import { makeWordsReachable, offerWord, wordSpans } from "./words";

const FORMATS: Format[] = ["txt", "srt", "vtt", "json"];
const NEAR_END_PX = 160;

const takes = byId("takes");
makeWordsReachable(takes);

/** Whether anything on the page would be lost with it. */
export function hasText(): boolean {
  return takes.querySelector(".segment:not([hidden])") !== null;
}

export class TakeView {
  private readonly title: HTMLElement;
  private readonly state = make("span", "state");
  private readonly bar = make("progress", "");
  private readonly segments = make("div", "segments");
  private readonly open = make("p", "segment open");
  private readonly openText = make("span", "text");
  private readonly actions = make("div", "actions");
  private readonly root: HTMLElement;
  private shown = 0;

  constructor(private readonly take: Take) {
    this.title = make("h2", "title", take.title);
    this.title.tabIndex = -1;
    this.bar.hidden = true;
    this.bar.setAttribute("aria-label", `Progress of ${take.title}`);
    this.open.append(make("span", "at", ""), this.openText);
    this.open.hidden = true;
    this.actions.hidden = true;
    this.actions.append(...this.buttons());
    const head = make("div", "head", this.title, this.state, this.actions);
    this.root = make("article", "take", head, this.bar, this.segments, this.open);
    byId("welcome").hidden = true;
    takes.append(this.root);
    this.follow(true);
  }

  /** Show what the take has by now. */
  update(): void {
    const isNear = isNearEnd();
    for (const segment of this.take.segments.slice(this.shown)) this.close(segment);
    this.shown = this.take.segments.length;
    this.open.hidden = !this.take.open;
    this.openText.textContent = this.take.open;
    this.actions.hidden = this.shown === 0;
    this.follow(isNear);
  }

  setState(text: string, tone = ""): void {
    this.state.textContent = text;
    this.state.dataset["tone"] = tone;
  }

  /** Show how much is done, 0..1; null where nobody knows, undefined when it is over. */
  setProgress(part: number | null | undefined): void {
    this.bar.hidden = part === undefined;
    if (part === null) this.bar.removeAttribute("value");
    else if (part !== undefined) this.bar.value = part;
  }

  /** Offer a way to stop it. */
  offerCancel(cancel: () => void): void {
    const stop = button("quiet cancel", "Cancel", () => {
      this.withdrawCancel();
      cancel();
    });
    stop.setAttribute("aria-label", `Cancel ${this.take.title}`);
    this.state.after(stop);
  }

  withdrawCancel(): void {
    const stop = this.root.querySelector(".cancel");
    if (stop === document.activeElement) this.title.focus();
    stop?.remove();
  }

  private close(segment: Segment): void {
    const text = make("span", "text", ...wordsOrText(segment));
    const line = make("p", "segment", make("span", "at", clock(segment.startS)), text);
    this.segments.append(line);
    offerWord(takes);
    byId("finals").append(make("p", "", segment.text));
  }

  private buttons(): HTMLButtonElement[] {
    const files = FORMATS.map((format) => {
      const element = button("plain", format.toUpperCase(), () => download(this.take, format));
      element.setAttribute("aria-label", `Download ${this.take.title} as ${format.toUpperCase()}`);
      return element;
    });
    const copy = button("plain", "Copy", () => void this.copy(copy));
    copy.setAttribute("aria-label", `Copy the text of ${this.take.title}`);
    return [copy, ...files];
  }

  private async copy(from: HTMLButtonElement): Promise<void> {
    if (!(await copyText(textOf(this.take)))) {
      showNotice({ title: "This browser allows no copying here.", text: "TXT saves the text." });
      return;
    }
    from.textContent = "Copied";
    announce("Copied.");
    setTimeout(() => (from.textContent = "Copy"), 1500);
  }

  private follow(isNear: boolean): void {
    if (isNear) scrollTo({ top: document.documentElement.scrollHeight });
  }
}

function wordsOrText(segment: Segment): (Node | string)[] {
  return segment.words.length ? wordSpans(segment.words) : [segment.text];
}

function isNearEnd(): boolean {
  const { scrollHeight } = document.documentElement;
  return scrollY + innerHeight > scrollHeight - NEAR_END_PX;
}
