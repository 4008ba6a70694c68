// Light, dark, or as the system is.

import { kept } from "../storage";
import { byId } from "./dom";

const STORED = "voxwire.theme";
const THEMES = ["auto", "light", "dark"] as const;
const SIGNS = { auto: "◐", light: "○", dark: "●" };

const place = byId("theme");
let theme = THEMES.find((each) => each === kept.get(STORED)) ?? "auto";

place.addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
  kept.set(STORED, theme);
  apply();
});

function apply(): void {
  document.documentElement.dataset["theme"] = theme;
  place.textContent = SIGNS[theme];
  place.setAttribute("aria-label", `Theme: ${theme === "auto" ? "as the system" : theme}`);
  place.title = place.getAttribute("aria-label")!;
}

apply();
