import { describe, expect, it } from "vitest";
import { piecesOf } from "../src/features/messages/text.ts";

const links = (text: string) => piecesOf(text).flatMap((piece) => (piece.kind === "link" ? [piece.text] : []));

describe("the text of messages", () => {
  it("finds links and leaves the sentence's punctuation out", () => {
    expect(links("See https://example.org/a, and (https://example.org/b).")).toEqual(["https://example.org/a", "https://example.org/b"]);
    expect(links("https://example.org/wiki/A_(b)")).toEqual(["https://example.org/wiki/A_(b)"]);
  });

  it("links nothing but the web", () => {
    expect(links("javascript:alert(1) data:text/html,x ftp://example.org")).toEqual([]);
  });

  it("loses no character", () => {
    for (const text of ["", "plain", "a\n  b", "x https://example.org y", "https://", "<b>https://example.org</b>"]) {
      expect(
        piecesOf(text)
          .map((piece) => piece.text)
          .join(""),
      ).toBe(text);
    }
  });
});
