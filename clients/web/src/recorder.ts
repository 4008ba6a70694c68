// From the press of Record to the last final: microphone, stream and page, held together.

import type { Frame } from "./capture/framer";
import { openMicrophone, type Microphone } from "./capture/microphone";
import type { ServerMessage } from "./messages";
import { Problem } from "./problems";
import { Stream, type Hearer } from "./stream";
import { addFinal, addPartial, clock, keepOpenText, newTake, type Take } from "./transcript";
import { hideBanner, showNotice, showProblem } from "./view/banner";
import { announce, byId } from "./view/dom";
import { askForKey } from "./view/key";
import { chosen, lock, onChange } from "./view/settings";
import { TakeView } from "./view/take";
import { addToWave, coverWave, markWave, startWave, stopWave } from "./view/wave";

type State = "idle" | "starting" | "recording" | "finishing";

const LABELS: Record<State, string> = {
  idle: "Record",
  starting: "Starting",
  recording: "Stop",
  finishing: "Finishing",
};
/** Behind by the model's delay and so much more, the text lags. */
const SLACK_S = 1.5;

const record = byId<HTMLButtonElement>("record");
const commit = byId<HTMLButtonElement>("commit");
const time = byId("time");
const lag = byId("lag");

/** The one recording that may be going on. */
export class Recorder implements Hearer {
  private state: State = "idle";
  private microphone: Microphone | null = null;
  private stream: Stream | null = null;
  private take: Take = newTake("");
  private view: TakeView | null = null;
  private lostS = 0;

  constructor(
    private readonly onModel: (name: string) => void,
    private readonly onStateChange: () => void,
  ) {
    record.addEventListener("click", () => void this.press());
    commit.addEventListener("click", () => this.stream?.commit());
    onChange((parameters) => this.stream?.configure(parameters));
  }

  get isRunning(): boolean {
    return this.state !== "idle";
  }

  private async press(): Promise<void> {
    if (this.state === "idle") await this.start();
    else if (this.state === "recording") await this.stop();
  }

  private async start(): Promise<void> {
    hideBanner();
    this.move("starting");
    try {
      this.microphone = await openMicrophone({
        onFrame: (frame) => this.hear(frame),
        onLost: () => void this.loseMicrophone(),
      });
    } catch (error) {
      this.move("idle");
      showProblem(error as Problem, () => void this.start());
      return;
    }
    this.begin();
  }

  private begin(): void {
    const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    this.take = newTake(`Recording ${at}`);
    this.view = null;
    this.lostS = 0;
    this.stream = new Stream(chosen(), this);
    this.move("recording");
    startWave();
    announce("Recording.");
  }

  private hear(frame: Frame): void {
    if (!this.stream) return;
    this.stream.send(frame.pcm);
    this.take.durationS = this.stream.heardS;
    time.textContent = clock(this.stream.heardS);
    addToWave(frame);
  }

  private async stop(): Promise<void> {
    this.move("finishing");
    await this.microphone?.stop();
    this.microphone = null;
    stopWave();
    this.view?.setState("finishing");
    this.stream?.end();
  }

  private async loseMicrophone(): Promise<void> {
    if (this.state !== "recording") return;
    showProblem(new Problem("lost-microphone"));
    await this.stop();
  }

  onMessage(message: ServerMessage, fromS: number): void {
    switch (message.type) {
      case "ready":
        this.take.model = message.model;
        this.take.delayMs = message.settings.delay_ms ?? 0;
        this.onModel(message.model);
        this.shown().setState(this.state === "finishing" ? "finishing" : "listening", "live");
        break;
      case "partial":
        addPartial(this.take, message, fromS);
        this.shown().update();
        break;
      case "final":
        addFinal(this.take, message, fromS);
        this.shown().update();
        coverWave(fromS + message.end_s);
        markWave(fromS + message.end_s);
        break;
      case "lag":
        coverWave(fromS + message.emitted_ms / 1000);
        this.showLag(fromS + message.emitted_ms / 1000);
        break;
      case "warning":
        showNotice({ title: "From the server:", text: message.message });
        break;
      case "error": // the session may go on; where it does not, onEnd says more
        showNotice({ title: "The server refused that:", text: message.message });
    }
  }

  onBroken(): void {
    this.shown().setState("connection lost, trying again", "wrong");
    announce("The connection was lost. Trying again.");
  }

  onLost(seconds: number): void {
    this.lostS += seconds;
    const text = `${this.lostS.toFixed(1)} s of what was said could not be kept.`;
    showNotice({ title: "The connection was gone for long.", text });
  }

  onKeyWanted(): Promise<boolean> {
    return askForKey();
  }

  onEnd(problem: Problem | null): void {
    void this.microphone?.stop();
    this.microphone = this.stream = null;
    stopWave();
    keepOpenText(this.take);
    this.view?.update();
    this.view?.setState(problem ? "ended early" : this.outcome(), problem ? "wrong" : "");
    if (problem) showProblem(problem, () => void this.start());
    lag.textContent = "";
    this.move("idle");
    announce(problem ? "The recording ended early." : "The recording is finished.");
  }

  private outcome(): string {
    const length = clock(this.take.durationS);
    return this.take.segments.length ? length : `${length}, nothing was said`;
  }

  private shown(): TakeView {
    this.view ??= new TakeView(this.take);
    return this.view;
  }

  private showLag(coveredS: number): void {
    const behindS = Math.max(0, (this.stream?.heardS ?? 0) - coveredS);
    const isLate = behindS > this.take.delayMs / 1000 + SLACK_S;
    lag.textContent = `${behindS.toFixed(1)} s behind`;
    lag.classList.toggle("late", isLate);
  }

  private move(state: State): void {
    this.state = state;
    record.dataset["state"] = state;
    // Not disabled: that would take the focus away from whoever pressed it by the keyboard.
    record.ariaDisabled = String(state === "starting" || state === "finishing");
    record.querySelector(".label")!.textContent = LABELS[state];
    commit.disabled = state !== "recording";
    lock(this.isRunning);
    this.onStateChange();
  }
}
