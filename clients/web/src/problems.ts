// What can go wrong, in words that say what to do about it.

import type { Error as ServerError } from "./messages";

export type ProblemKind =
  | "insecure"
  | "refused"
  | "nothing"
  | "broken"
  | "lost-microphone"
  | "gone"
  | "unopened"
  | "full"
  | "forbidden"
  | "failed"
  | "unreadable"
  | "upload";

/** Something that stopped what the person wanted. */
export class Problem extends Error {
  constructor(
    readonly kind: ProblemKind,
    /** What the server or the browser said about it. */
    readonly detail = "",
  ) {
    super(detail || kind);
  }
}

/** Return what a session failed by. */
export function problemOf({ code, message }: ServerError): Problem {
  const isFull = ["at_capacity", "overloaded", "not_ready"].includes(code);
  return new Problem(isFull ? "full" : "failed", message);
}

export interface Words {
  title: string;
  text: string;
}

/** Say what is wrong and what helps. */
export function wordsOf(problem: Problem): Words {
  const said = sentence(problem.detail);
  switch (problem.kind) {
    case "insecure":
      return {
        title: "This page cannot use the microphone",
        text:
          "Browsers lend it only to pages on https or on localhost. On the server's own machine " +
          `open http://localhost:${location.port || "80"}; for other machines give the server a ` +
          "certificate (--tls-cert, --tls-key). Files can be transcribed all the same.",
      };
    case "refused":
      return {
        title: "The microphone is blocked",
        text:
          "The browser, or the system, does not let this page use it. Allow it in the site " +
          "settings beside the address, then record again.",
      };
    case "nothing":
      return {
        title: "There is no microphone",
        text: "Plug one in, or choose one in the browser's settings, then record again.",
      };
    case "broken":
      return {
        title: "The microphone does not start",
        text: `Another program may be holding it. ${said}`,
      };
    case "lost-microphone":
      return {
        title: "The microphone went away",
        text: "It was unplugged, or another program took it. What was said before is kept.",
      };
    case "gone":
      return {
        title: "The server does not answer",
        text: "It may have been stopped, or the network is down. Start it, then try again.",
      };
    case "unopened":
      return {
        title: "The server is there, but the connection for sound is refused",
        text:
          "It is a WebSocket. A proxy in between has to pass it on, and the server has to allow " +
          "this page's address (--allow-origins). Files can be transcribed all the same.",
      };
    case "full":
      return { title: "The server has no room", text: `${said} Try again in a moment.`.trim() };
    case "forbidden":
      return { title: "The server turned this page away", text: said };
    case "failed":
      return { title: "The session ended early", text: said };
    case "unreadable":
      return {
        title: "That is no file that can be read",
        text: "It may be a folder, or it was moved. Choose a recording.",
      };
    case "upload":
      return { title: "The file was not transcribed", text: said };
  }
}

function sentence(text: string): string {
  if (!text) return "";
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
