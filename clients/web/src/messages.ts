// Made by `python -m voxwire.protocol.native.typescript`; do not edit.

/** The messages up to this number came, and need not be kept for another socket. */
export interface Ack {
  /** The client's own id of the message. */
  ref?: string;
  type: "ack";
  seq: number;
}

/** Audio in base64, cut anywhere. A binary frame says the same for less. */
export interface Audio {
  /** The client's own id of the message. */
  ref?: string;
  type: "audio";
  audio: string;
}

/** The last message; the socket is closed after it. */
export interface Bye {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "bye";
  reason: CloseReason;
  /** How much audio the session had. */
  audio_s: number;
}

/** Drop the open segment's audio and text; answered by `cleared`. */
export interface Clear {
  /** The client's own id of the message. */
  ref?: string;
  type: "clear";
}

/** The open segment's audio was dropped, and what was heard in it. */
export interface Cleared {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "cleared";
  /** The client's own id of the message. */
  ref?: string;
}

/** Why a segment was closed. */
export type CloseReason = "endpoint" | "commit" | "end" | "limit" | "shutdown" | "disconnect" | "error";

/** Close the open segment with all audio sent so far: `committed`, then `final`. */
export interface Commit {
  /** The client's own id of the message. */
  ref?: string;
  type: "commit";
}

/** The segment's audio is complete; its `final` follows. */
export interface Committed {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "committed";
  /** Counted from 0 over the whole session. */
  segment: number;
  reason: CloseReason;
}

/** Change what is named and leave the rest; answered by `configured`. */
export interface Config {
  /** How samples are written: pcm_s16le at first. */
  encoding?: Encoding;
  /** In Hz: 16000 at first. */
  sample_rate?: number;
  /** Interleaved, and averaged: 1 at first. */
  channels?: number;
  /** How far the model hears ahead before it writes. Only before audio. The model's own at first. */
  delay_ms?: 80 | 160 | 240 | 320 | 400 | 480 | 560 | 640 | 720 | 800 | 880 | 960 | 1040 | 1120 | 1200 | 2400;
  /** What closes segments: a run of nothing written (pads, at first), a voice activity detector (vad), or commits alone (none). */
  endpoint?: EndpointKind;
  /** How much silence closes a segment: at first the server's own, which is 800 unless its operator says otherwise; 500 with vad. With pads it is the time without a new word: a pause, and the word after it, which is written when it ends. */
  silence_ms?: number;
  /** Speech probability from which vad hears speech: 0.5 at first. */
  threshold?: number;
  /** What vad lets through before speech begins: 300 at first. */
  prefix_padding_ms?: number;
  /** Log-probabilities of tokens, and words' confidence: false at first. */
  scores?: boolean;
  type: "config";
  /** The client's own id of the message. */
  ref?: string;
}

/** The settings that hold for the audio that follows. */
export interface Configured {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "configured";
  settings: Settings;
  /** The client's own id of the message. */
  ref?: string;
}

/** How a sample is written: little-endian where it has more than one byte. */
export type Encoding = "pcm_s16le" | "pcm_f32le" | "mulaw" | "alaw";

/** No audio will follow; the last `final` comes, then `bye`. */
export interface End {
  /** The client's own id of the message. */
  ref?: string;
  type: "end";
}

/** What closes a segment besides the client's commits. */
export type EndpointKind = "pads" | "vad" | "none";

/** A message was refused and nothing of it done; or, before `bye`, the session has failed. */
export interface Error {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "error";
  code: string;
  message: string;
  /** The field that is wrong. */
  param?: string;
  /** When the same may succeed. */
  retry_after_s?: number;
  /** The client's own id of the message. */
  ref?: string;
}

/** A closed segment: exactly one for each. Its text may be empty after a commit. */
export interface Final {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "final";
  /** Counted from 0 over the whole session. */
  segment: number;
  reason: CloseReason;
  text: string;
  words: Word[];
  start_s: number;
  end_s: number;
  scores?: Score[];
}

/** I am still here, though silent. */
export interface KeepAlive {
  /** The client's own id of the message. */
  ref?: string;
  type: "keepalive";
}

/** How far the session is, in milliseconds of its audio. */
export interface Lag {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "lag";
  received_ms: number;
  processed_ms: number;
  /** Covered by what was sent to the client. */
  emitted_ms: number;
  /** Computing time over audio time of late: below 1 it keeps pace. */
  real_time_factor: number;
}

/** Each may be left out, and then stays what it is; at first, what is named here. */
export interface Parameters {
  /** How samples are written: pcm_s16le at first. */
  encoding?: Encoding;
  /** In Hz: 16000 at first. */
  sample_rate?: number;
  /** Interleaved, and averaged: 1 at first. */
  channels?: number;
  /** How far the model hears ahead before it writes. Only before audio. The model's own at first. */
  delay_ms?: 80 | 160 | 240 | 320 | 400 | 480 | 560 | 640 | 720 | 800 | 880 | 960 | 1040 | 1120 | 1200 | 2400;
  /** What closes segments: a run of nothing written (pads, at first), a voice activity detector (vad), or commits alone (none). */
  endpoint?: EndpointKind;
  /** How much silence closes a segment: at first the server's own, which is 800 unless its operator says otherwise; 500 with vad. With pads it is the time without a new word: a pause, and the word after it, which is written when it ends. */
  silence_ms?: number;
  /** Speech probability from which vad hears speech: 0.5 at first. */
  threshold?: number;
  /** What vad lets through before speech begins: 300 at first. */
  prefix_padding_ms?: number;
  /** Log-probabilities of tokens, and words' confidence: false at first. */
  scores?: boolean;
}

/** New text of the open segment. Text is never taken back. */
export interface Partial {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "partial";
  /** Counted from 0 over the whole session. */
  segment: number;
  /** What is new. */
  delta: string;
  /** All of the segment so far. */
  text: string;
  /** Where in the audio the newest token stands. */
  at_s: number;
  scores?: Score[];
}

/** The first message: the session is open, with these settings. */
export interface Ready {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "ready";
  /** The id of the session, for logs and reports. */
  session: string;
  model: string;
  settings: Settings;
  /** What to show to go on with the session on another socket. */
  resume?: string;
  /** How long the session waits for that. */
  resume_grace_s?: number;
}

/** What came, as in `resumed`: a client need not keep it any longer. */
export interface Received {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "received";
  audio_bytes: number;
  controls: number;
}

/** The first message on another socket of a session, numbered as the last that came. What the client has sent and is not counted here, it sends again; what it has missed follows. */
export interface Resumed {
  seq: number;
  type: "resumed";
  /** Bytes of audio that came, in all. */
  audio_bytes: number;
  /** Messages that came: config, commit, clear and end; in all. */
  controls: number;
}

/** A token that wrote text. */
export interface Score {
  /** Its bytes as text: U+FFFD where it is a part of a character. */
  text: string;
  bytes: number[];
  log_prob: number;
}

/** The settings of a session, written out by the server. */
export interface Settings {
  /** How samples are written: pcm_s16le at first. */
  encoding?: Encoding;
  /** In Hz: 16000 at first. */
  sample_rate?: number;
  /** Interleaved, and averaged: 1 at first. */
  channels?: number;
  /** How far the model hears ahead before it writes. Only before audio. The model's own at first. */
  delay_ms?: 80 | 160 | 240 | 320 | 400 | 480 | 560 | 640 | 720 | 800 | 880 | 960 | 1040 | 1120 | 1200 | 2400;
  /** What closes segments: a run of nothing written (pads, at first), a voice activity detector (vad), or commits alone (none). */
  endpoint?: EndpointKind;
  /** How much silence closes a segment: at first the server's own, which is 800 unless its operator says otherwise; 500 with vad. With pads it is the time without a new word: a pause, and the word after it, which is written when it ends. */
  silence_ms?: number;
  /** Speech probability from which vad hears speech: 0.5 at first. */
  threshold?: number;
  /** What vad lets through before speech begins: 300 at first. */
  prefix_padding_ms?: number;
  /** Log-probabilities of tokens, and words' confidence: false at first. */
  scores?: boolean;
}

/** The voice activity detector hears speech: this segment's text will follow. */
export interface SpeechStarted {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "speech_started";
  /** Counted from 0 over the whole session. */
  segment: number;
  at_s: number;
}

/** The voice activity detector hears no more speech. */
export interface SpeechStopped {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "speech_stopped";
  /** Counted from 0 over the whole session. */
  segment: number;
  at_s: number;
}

/** Something to know; nothing has to be done. */
export interface Warned {
  /** 1, 2, 3 ... over the whole session. */
  seq: number;
  type: "warning";
  code: string;
  message: string;
  /** With code `draining`: how long until the server goes down. */
  seconds_left?: number;
}

/** A word with its punctuation. end_s is measured, start_s an estimate. */
export interface Word {
  text: string;
  start_s: number;
  end_s: number;
  /** Whether a space stands before it in the text. */
  space_before: boolean;
  /** Where scores were asked for. */
  confidence?: number;
}

export type ClientMessage =
  | Config
  | Audio
  | Commit
  | Clear
  | End
  | KeepAlive
  | Ack;

export type ServerMessage =
  | Ready
  | Resumed
  | Received
  | Configured
  | SpeechStarted
  | SpeechStopped
  | Committed
  | Cleared
  | Partial
  | Final
  | Lag
  | Warned
  | Error
  | Bye;
