// Light, dark, or as the system is.

import { byId } from "./dom";

const STORED = "voxwire.theme";
const THEMES = ["auto", "light", "dark"] as const;
const SIGNS = { auto: "◐", light: "○", dark: "●" };

const place = byId("theme");
let theme = THEMES.find((each) => each === localStorage.getItem(STORED)) ?? "auto";

place.addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
  localStorage.setItem(STORED, theme);
  apply();
});

function apply(): void {
  document.documentElement.dataset["theme"] = theme;
  place.textContent = SIGNS[theme];
  place.setAttribute("aria-label", `Theme: ${theme === "auto" ? "as the system" : theme}`);
  place.title = place.getAttribute("aria-label")!;
}

apply();
