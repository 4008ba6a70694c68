// The dock hides the end of the page: what is focused must scroll to above it.

import { byId } from "./dom";

const dock = byId("dock");

new ResizeObserver(() => {
  document.documentElement.style.scrollPaddingBottom = `${dock.offsetHeight + 16}px`;
}).observe(dock);
