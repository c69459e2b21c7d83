/**
 * Prometheus text, as far as this page shows it: families with their values.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format".
 */

export interface Sample {
  readonly labels: string;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: string;
  readonly samples: readonly Sample[];
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const ABOUT = /^# (HELP|TYPE) (\S+) (.*)$/;

export function parseMetrics(text: string): Family[] {
  const families = new Map<string, { name: string; help: string; kind: string; samples: Sample[] }>();
  const family = (name: string) => {
    const known = families.get(name);
    if (known) return known;
    const fresh = { name, help: "", kind: "untyped", samples: [] };
    families.set(name, fresh);
    return fresh;
  };
  for (const line of text.split("\n")) {
    const [, what, name, rest] = ABOUT.exec(line) ?? [];
    if (what && name) {
      if (what === "HELP") family(name).help = rest ?? "";
      else family(name).kind = rest ?? "untyped";
      continue;
    }
    const [, sample, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (!sample || !value) continue;
    const parsed = numberOf(value);
    // Of a histogram and a summary only the count and the sum are shown, under the family's own name.
    const owner = sample.replace(/_(count|sum|bucket)$/, "");
    const kind = families.get(owner)?.kind;
    if (owner !== sample && (kind === "histogram" || kind === "summary")) {
      if (sample.endsWith("_bucket")) continue;
      family(owner).samples.push({ labels: `${sample.slice(owner.length + 1)}${labels ? ` ${labels}` : ""}`, value: parsed });
    } else family(sample).samples.push({ labels, value: parsed });
  }
  const shown = [...families.values()].filter(({ samples }) => samples.length > 0);
  // A server may write them in any order; the eye wants one.
  return shown.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The value of a family that has one, or the sum over its labels. */
export function familyValue(families: readonly Family[], name: string): number | null {
  const found = families.find((family) => family.name === name);
  return found ? found.samples.reduce((sum, sample) => sum + sample.value, 0) : null;
}

function numberOf(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return Number(text);
}
