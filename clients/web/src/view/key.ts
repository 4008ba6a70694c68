// Asking for the server's key.

import { key } from "../server";
import { byId } from "./dom";

const dialog = byId<HTMLDialogElement>("key-dialog");
const input = byId<HTMLInputElement>("key-input");
const text = byId("key-text");
const first = text.textContent;

byId("key-cancel").addEventListener("click", () => dialog.close("cancel"));

/** Ask for a key and keep it; resolves to false if the person has none. */
export function askForKey(): Promise<boolean> {
  text.textContent = key.value ? "That is not one of this server's keys." : first;
  input.value = "";
  dialog.returnValue = "cancel"; // what Escape leaves
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(take()), { once: true });
  });
}

function take(): boolean {
  const isGiven = dialog.returnValue === "ok" && input.value.trim() !== "";
  if (isGiven) key.value = input.value.trim();
  return isGiven;
}
