/** Theme, contrast and density: kept in this browser, shown as attributes on the root element. `public/preferences.js` reads the same keys before the first paint. */
import { useSyncExternalStore } from "react";

export const choices = {
  theme: ["system", "light", "dark"],
  contrast: ["system", "normal", "more"],
  density: ["cozy", "compact"],
} as const;

export type Preference = keyof typeof choices;
export type Choice<P extends Preference> = (typeof choices)[P][number];

const attributes = { theme: "nxTheme", contrast: "nxContrast", density: "nxDensity" } as const;
const listeners = new Set<() => void>();

export function preference<P extends Preference>(name: P): Choice<P> {
  const value = document.documentElement.dataset[attributes[name]];
  return (choices[name] as readonly string[]).includes(value ?? "") ? (value as Choice<P>) : choices[name][0];
}

export function prefer<P extends Preference>(name: P, value: Choice<P>): void {
  if (value === "system") delete document.documentElement.dataset[attributes[name]];
  else document.documentElement.dataset[attributes[name]] = value;
  try {
    if (value === "system") localStorage.removeItem(`nexus.${name}`);
    else localStorage.setItem(`nexus.${name}`, value);
  } catch {
    // No storage: the choice lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

export function usePreference<P extends Preference>(name: P): Choice<P> {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => preference(name),
  );
}

/** Switches to the side that is not shown now. */
export function toggleTheme(): void {
  const chosen = preference("theme");
  const dark = chosen === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  prefer("theme", dark ? "light" : "dark");
}
