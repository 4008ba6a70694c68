// Asking for the server's key.

import { key, keyIn } from "../server";
import { byId } from "./dom";

const dialog = byId<HTMLDialogElement>("key-dialog");
const form = byId<HTMLFormElement>("key-form");
const input = byId<HTMLInputElement>("key-input");
const text = byId("key-text");
const first = text.textContent;
const WRONG = "That is not one of this server's keys.";

byId("key-cancel").addEventListener("click", () => dialog.close("cancel"));
form.addEventListener("submit", (event) => {
  if (keyIn(input.value) !== null) return;
  event.preventDefault(); // the dialog stays
  text.textContent = WRONG;
  input.value = "";
  input.focus();
});

/** Ask for a key and keep it; resolves to false if the person has none. */
export function askForKey(): Promise<boolean> {
  text.textContent = key.value ? WRONG : first;
  input.value = "";
  dialog.returnValue = "cancel"; // what Escape leaves
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(take()), { once: true });
  });
}

/** Ask no longer. */
export function withdrawKey(): void {
  dialog.close("cancel");
}

function take(): boolean {
  const given = dialog.returnValue === "ok" ? keyIn(input.value) : null;
  if (given !== null) key.value = given;
  return given !== null;
}
