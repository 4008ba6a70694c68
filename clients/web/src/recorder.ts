// From the press of Record to the last final: microphone, stream and page, held together.

import type { Frame } from "./capture/framer";
import { openMicrophone, type Microphone } from "./capture/microphone";
import type { Hearer } from "./hearer";
import type { ServerMessage, Warned } from "./messages";
import { Problem, wordsOf } from "./problems";
import { Stream } from "./stream";
import { addFinal, addPartial, clock, keepOpenText, newTake, type Take } from "./transcript";
import { hideBanner, showNotice, showProblem } from "./view/banner";
import { announce, byId } from "./view/dom";
import { askForKey, withdrawKey } from "./view/key";
import { checkLag, hideLag, noteServer, showLag } from "./view/lag";
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

const record = byId<HTMLButtonElement>("record");
const commit = byId<HTMLButtonElement>("commit");
const time = byId("time");

/** The one recording that may be going on. */
export class Recorder implements Hearer {
  private state: State = "idle";
  private microphone: Microphone | null = null;
  private stream: Stream | null = null;
  private take: Take = newTake("");
  private view: TakeView | null = null;
  /** The connection is lost, and tried again. */
  private isAway = false;
  private isAsking = false;
  /** Puts the word away that the server goes down, or lets no sound in. */
  private endWarning: () => void = () => undefined;

  constructor(
    private readonly onModel: (name: string) => void,
    private readonly onStateChange: () => void,
  ) {
    record.addEventListener("click", (event) => void this.press(event.detail));
    commit.addEventListener("click", () => this.stream?.commit());
    onChange((parameters) => this.stream?.configure(parameters));
  }

  get isRunning(): boolean {
    return this.state !== "idle";
  }

  /** nClicks: a double click on Stop is no wish to give up. */
  private async press(nClicks: number): Promise<void> {
    if (this.state === "idle") await this.start();
    else if (this.state === "recording") await this.stop();
    else if (this.mayGiveUp && nClicks < 2) this.stream?.giveUp();
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
    const at = new Date().toLocaleTimeString([], {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit", // two recordings of a minute are two files
    });
    this.take = newTake(`Recording ${at}`);
    this.view = null;
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
    checkLag();
  }

  private async stop(): Promise<void> {
    this.move("finishing");
    await this.microphone?.stop();
    this.microphone = null;
    stopWave();
    if (this.state !== "finishing") return; // it was given up meanwhile
    if (!this.isAway) this.view?.setState("finishing");
    this.stream?.end();
  }

  private async loseMicrophone(): Promise<void> {
    if (this.state !== "recording") return;
    showProblem(new Problem("lost-microphone"));
    await this.stop();
  }

  onMessage(message: ServerMessage, fromS: number): void {
    noteServer();
    switch (message.type) {
      case "ready":
        this.take.model = message.model;
        this.take.delayMs = message.settings.delay_ms ?? 0;
        this.onModel(message.model);
        this.endWarning();
        this.goOn("Connected again.");
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
        this.cover(fromS + message.emitted_ms / 1000);
        break;
      case "warning":
        this.warn(message);
        break;
      case "error": // the session may go on; where it does not, onEnd says more
        showNotice({ title: "The server refused that:", text: message.message });
    }
  }

  onUnopened(problem: Problem): void {
    this.lose("no connection, trying again");
    this.endWarning = showNotice(wordsOf(problem));
  }

  onBroken(): void {
    this.lose("connection lost, trying again");
    announce("The connection was lost. Trying again.");
  }

  onResumed(): void {
    this.goOn("Connected again. Nothing was lost.");
  }

  onGap(fromS: number, toS: number): void {
    keepOpenText(this.take);
    this.view?.update();
    const text = `What was said from ${clock(fromS)} to ${clock(toS)} may be missing.`;
    showNotice({ title: "The server lost the session.", text });
  }

  async onKeyWanted(): Promise<boolean> {
    this.isAsking = true;
    const isGiven = await askForKey();
    this.isAsking = false;
    return isGiven;
  }

  onEnd(problem: Problem | null): void {
    void this.microphone?.stop();
    this.microphone = this.stream = null;
    if (this.isAsking) withdrawKey();
    stopWave();
    keepOpenText(this.take);
    this.view?.update();
    this.view?.setState(problem ? "ended early" : this.outcome(), problem ? "wrong" : "");
    if (problem) showProblem(problem, () => void this.start());
    hideLag();
    this.isAway = false;
    this.move("idle");
    announce(problem ? "The recording ended early." : "The recording is finished.");
  }

  private lose(state: string): void {
    this.isAway = true;
    hideLag();
    this.showButton();
    this.shown().setState(state, "wrong");
  }

  /** again: what to tell where the connection was lost before. */
  private goOn(again: string): void {
    this.shown().setState(this.state === "finishing" ? "finishing" : "listening", "live");
    if (this.isAway) announce(again);
    this.isAway = false;
    this.showButton();
  }

  private warn({ code, message }: Warned): void {
    const end = showNotice({ title: "From the server:", text: message });
    if (code === "draining") this.endWarning = end;
  }

  private get mayGiveUp(): boolean {
    return this.state === "finishing" && this.isAway;
  }

  private outcome(): string {
    const length = clock(this.take.durationS);
    return this.take.segments.length ? length : `${length}, nothing was said`;
  }

  private shown(): TakeView {
    this.view ??= new TakeView(this.take);
    return this.view;
  }

  private cover(coveredS: number): void {
    coverWave(coveredS);
    showLag((this.stream?.heardS ?? 0) - coveredS, this.take.delayMs / 1000);
  }

  private move(state: State): void {
    this.state = state;
    record.dataset["state"] = state;
    this.showButton();
    commit.disabled = state !== "recording";
    lock(this.isRunning);
    this.onStateChange();
  }

  private showButton(): void {
    const isWaiting = this.state === "starting" || this.state === "finishing";
    // Not disabled: that would take the focus away from whoever pressed it by the keyboard.
    record.ariaDisabled = String(isWaiting && !this.mayGiveUp);
    record.querySelector(".label")!.textContent = this.mayGiveUp ? "Give up" : LABELS[this.state];
  }
}
