// Files: opened or dropped, sent one after the other, each a take of its own.

import { Problem, wordsOf } from "./problems";
import { clock, keepOpenText, newTake } from "./transcript";
import { upload } from "./upload";
import { announce, byId } from "./view/dom";
import { askForKey } from "./view/key";
import { chosenDelay } from "./view/settings";
import { TakeView } from "./view/take";

const waiting: (() => Promise<void>)[] = [];
let isSending = false;

/** Take files from the button, and from wherever they are dropped. */
export function acceptFiles(): void {
  const input = byId<HTMLInputElement>("file");
  input.addEventListener("change", () => {
    add([...(input.files ?? [])]);
    input.value = "";
  });
  acceptDrops(byId("drop"));
}

function acceptDrops(veil: HTMLElement): void {
  let depth = 0; // dragging over each inner element enters it, and leaves the one before
  addEventListener("dragenter", (event) => {
    if (event.dataTransfer?.types.includes("Files")) veil.hidden = ++depth === 0;
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    add([...(event.dataTransfer?.files ?? [])]);
  });
}

function add(files: File[]): void {
  for (const file of files) waiting.push(prepare(file));
  void sendAll();
}

async function sendAll(): Promise<void> {
  if (isSending) return;
  isSending = true;
  for (let next = waiting.shift(); next; next = waiting.shift()) await next();
  isSending = false;
}

/** Show a file at once; what is returned sends it when its turn comes. */
function prepare(file: File): () => Promise<void> {
  const sending = new Sending(file);
  return () => sending.run();
}

class Sending {
  private readonly take;
  private readonly view;
  private isCancelled = false;
  private abort: () => void = () => undefined;
  private resolve: () => void = () => undefined;

  constructor(private readonly file: File) {
    this.take = newTake(file.name);
    this.view = new TakeView(this.take);
    this.view.setState("waiting");
    this.view.setProgress(0);
    this.view.offerCancel(() => this.cancel());
  }

  run(): Promise<void> {
    if (this.isCancelled) return Promise.resolve();
    return new Promise((resolve) => {
      this.resolve = resolve;
      void this.begin();
    });
  }

  private async begin(): Promise<void> {
    const canRead = await isReadable(this.file);
    if (this.isCancelled) return;
    if (canRead) this.send();
    else this.fail(new Problem("unreadable"));
  }

  private send(): void {
    const delayMs = chosenDelay();
    this.view.setState("sending", "live");
    this.abort = upload(this.file, delayMs, {
      onSent: (part) => this.showSent(part),
      onHeard: (doneS, totalS) => this.showHeard(doneS, totalS),
      onText: (delta) => {
        this.take.open += delta;
        this.view.update();
      },
      onDone: (segments, durationS, served) => {
        Object.assign(this.take, { segments, durationS, ...served, open: "" });
        this.finish(segments.length ? clock(durationS) : "nothing was said");
        announce(`${this.file.name} is transcribed.`);
      },
      onKeyWanted: () => void this.askForKey(),
      onProblem: (problem) => this.fail(problem),
    });
  }

  private showSent(part: number): void {
    this.view.setProgress(part);
    if (part < 1) return;
    this.view.setState("listening", "live");
    this.view.setProgress(null);
  }

  private showHeard(doneS: number, totalS: number | null): void {
    this.take.durationS = this.take.openEndS = doneS;
    this.view.setState("listening", "live");
    this.view.setProgress(totalS ? Math.min(1, doneS / totalS) : null);
  }

  private async askForKey(): Promise<void> {
    if (await askForKey()) this.send();
    else this.fail(new Problem("upload", "it needs a key"));
  }

  private fail(problem: Problem): void {
    const { title, text } = wordsOf(problem);
    this.finish(`${title}. ${text}`, "wrong");
    announce(`${this.file.name}: ${title}.`);
  }

  private cancel(): void {
    this.isCancelled = true;
    this.abort();
    this.finish("cancelled");
    announce(`${this.file.name} is cancelled.`);
  }

  private finish(state: string, tone = ""): void {
    keepOpenText(this.take);
    this.view.update();
    this.view.setState(state, tone);
    this.view.setProgress(undefined);
    this.view.withdrawCancel();
    this.resolve();
  }
}

/** Whether it can be read: folders can be dropped too, and files go away. */
async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
