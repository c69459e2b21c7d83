/** The marks of proof: a diamond each, but for what is broken. They stand beside words, which carry the meaning. */

export type Mark = "good" | "warn" | "broken" | "open";

const DIAMOND = "M6.1.9a1.3 1.3 0 0 1 1.8 0l5.2 5.2a1.3 1.3 0 0 1 0 1.8l-5.2 5.2a1.3 1.3 0 0 1-1.8 0L.9 7.9a1.3 1.3 0 0 1 0-1.8z";
const RING = "M6.3 1.5a1 1 0 0 1 1.4 0l4.8 4.8a1 1 0 0 1 0 1.4l-4.8 4.8a1 1 0 0 1-1.4 0L1.5 7.7a1 1 0 0 1 0-1.4z";
const OCTAGON = "M4.4 1h5.2L13 4.4v5.2L9.6 13H4.4L1 9.6V4.4z";

export function ProofMark({ of, className = "mark" }: { readonly of: Mark; readonly className?: string }) {
  return (
    <svg className={className} viewBox="0 0 14 14" aria-hidden="true">
      {of === "good" ? (
        <>
          <path d={DIAMOND} fill="var(--nx-proof)" />
          <path
            d="m4.7 7.2 1.6 1.6 3-3.3"
            fill="none"
            stroke="var(--nx-sheet)"
            strokeWidth="1.5"
            strokeLinecap="round"
            strokeLinejoin="round"
          />
        </>
      ) : of === "broken" ? (
        <>
          <path d={OCTAGON} fill="var(--nx-danger)" />
          <path d="m5 5 4 4m0-4-4 4" stroke="var(--nx-on-danger)" strokeWidth="1.5" strokeLinecap="round" />
        </>
      ) : (
        <>
          <path d={RING} fill="none" stroke={of === "warn" ? "var(--nx-warn)" : "var(--nx-ink-3)"} strokeWidth="1.5" />
          {of === "warn" ? (
            <>
              <path d="M7 4.5v3" stroke="var(--nx-warn-ink)" strokeWidth="1.5" strokeLinecap="round" />
              <circle cx="7" cy="9.5" r=".85" fill="var(--nx-warn-ink)" />
            </>
          ) : null}
        </>
      )}
    </svg>
  );
}

/** A part of the tree in a list: computed here, given by the server, or not needed. */
export function PartMark({ of }: { readonly of: "computed" | "given" | "other" }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      {of === "other" ? (
        <circle cx="8" cy="8" r="4" fill="var(--nx-sheet)" stroke="var(--nx-line-control)" strokeWidth="1.5" />
      ) : (
        <path
          d="M8 2 14 8 8 14 2 8Z"
          fill={of === "computed" ? "var(--nx-proof)" : "var(--nx-sheet)"}
          stroke="var(--nx-proof)"
          strokeWidth={of === "computed" ? 2.5 : 1.75}
          strokeLinejoin="round"
        />
      )}
    </svg>
  );
}
