import { describe, expect, it } from "vitest";
import { hourly, roundUp } from "../src/features/transparency/growth.ts";
import { familyValue, parseMetrics } from "../src/features/transparency/metrics.ts";

describe("growth", () => {
  it("fills the hours in which nothing happened, and counts back from today", () => {
    const now = 100 * 3_600 + 1_234;
    const hours = [
      { start: 97 * 3_600, registrations: 3 },
      { start: 100 * 3_600, registrations: 2 },
    ];
    expect(hourly(hours, 4, 10, now)).toEqual([
      { start: 97 * 3_600, registrations: 3, entries: 8 },
      { start: 98 * 3_600, registrations: 0, entries: 8 },
      { start: 99 * 3_600, registrations: 0, entries: 8 },
      { start: 100 * 3_600, registrations: 2, entries: 10 },
    ]);
  });

  it("has round scales", () => {
    expect([0, 1, 3, 7, 10, 11, 60, 430].map(roundUp)).toEqual([1, 1, 5, 10, 10, 20, 100, 500]);
  });
});

describe("metrics", () => {
  const text = `# HELP sth_count Published tree heads.
# TYPE sth_count gauge
sth_count 7
# TYPE nexus_requests_total counter
nexus_requests_total{route="/sth/latest",status="200"} 3
nexus_requests_total{route="a } b"} 1e3
# TYPE nexus_seconds histogram
nexus_seconds_bucket{le="+Inf"} 4
nexus_seconds_sum 1.5
nexus_seconds_count 4
process_up 1
`;

  it("are read as families in the order of their names", () => {
    const families = parseMetrics(text);
    expect(families.map(({ name }) => name)).toEqual(["nexus_requests_total", "nexus_seconds", "process_up", "sth_count"]);
    expect(families.find(({ name }) => name === "sth_count")).toMatchObject({ help: "Published tree heads.", kind: "gauge" });
    expect(families.find(({ name }) => name === "nexus_seconds")?.samples).toEqual([
      { labels: "sum", value: 1.5 },
      { labels: "count", value: 4 },
    ]);
    expect(familyValue(families, "nexus_requests_total")).toBe(1_003);
    expect(familyValue(families, "unknown")).toBeNull();
  });

  it("are none in something else", () => {
    expect(parseMetrics("<!doctype html>\n<p>hello</p>")).toEqual([]);
  });
});
