// Text to the clipboard, also where a page has none.

import { make } from "./dom";

/** Copy a text; resolves to false where the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  // Browsers lend it only to pages on https or on localhost.
  if (!navigator.clipboard) return copySelected(text);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function copySelected(text: string): boolean {
  const before = document.activeElement;
  const area = make("textarea", "unseen");
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return isCopied;
}
