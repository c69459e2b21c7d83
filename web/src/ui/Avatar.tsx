import { hashOf, type Palette, paletteOf } from "./art.ts";

const motifs: readonly ((palette: Palette) => React.ReactNode)[] = [
  ({ shape, detail }) => (
    <>
      <circle cx="26" cy="17" r="7" fill={detail} />
      <path fill={shape} d="M-10 22h60v30h-60z" />
      <path
        d="M-14 28q6-3 12 0t12 0 12 0 12 0 12 0M-14 34q6-3 12 0t12 0 12 0 12 0 12 0"
        stroke={detail}
        strokeOpacity=".6"
        strokeWidth="1.8"
        fill="none"
      />
    </>
  ),
  ({ shape, detail }) => (
    <>
      <path fill={shape} d="m-12 46 22-32 8 11 5-7 31 32z" />
      <path fill={detail} d="M-10 36q15-7 30-3t30 0v20h-60z" />
    </>
  ),
  ({ shape, detail }) => (
    <>
      <path fill={detail} d="M27 7a8 8 0 1 0 6 12A9 9 0 0 1 27 7z" />
      <path fill={shape} d="M-10 34q16-13 30-5t32-4v28h-62z" />
    </>
  ),
  ({ shape, detail }) => (
    <g fill="none" strokeWidth="4.5">
      <circle cx="12" cy="30" r="7" stroke={detail} />
      <circle cx="12" cy="30" r="15" stroke={shape} />
      <circle cx="12" cy="30" r="23" stroke={detail} strokeOpacity=".55" />
    </g>
  ),
  ({ shape, detail }) => (
    <>
      <path d="M20 50V16" stroke={shape} strokeWidth="2.4" />
      <path fill={shape} d="M20 26C9 26 7 18 7 13c8 0 13 4 13 13z" />
      <path fill={detail} d="M20 20c0-8 5-12 13-12 0 7-3 12-13 12z" />
    </>
  ),
  ({ shape, detail }) => (
    <>
      <path d="M-20 12q8-8 16 0t16 0 16 0 16 0 16 0M-20 32q8-8 16 0t16 0 16 0 16 0 16 0" stroke={shape} strokeWidth="4" fill="none" />
      <path d="M-20 22q8-8 16 0t16 0 16 0 16 0 16 0" stroke={detail} strokeWidth="4" fill="none" />
    </>
  ),
  ({ shape, detail }) => (
    <>
      <g fill={shape}>
        <circle cx="20" cy="12" r="7" />
        <circle cx="28" cy="18" r="7" />
        <circle cx="25" cy="27" r="7" />
        <circle cx="15" cy="27" r="7" />
        <circle cx="12" cy="18" r="7" />
      </g>
      <circle cx="20" cy="20" r="5" fill={detail} />
    </>
  ),
  ({ shape, detail }) => (
    <>
      <path fill={detail} d="M21 7v18H9z" />
      <path fill={detail} fillOpacity=".7" d="M23 12v13h8z" />
      <path fill={shape} d="M8 27h25l-5 6H13zM-10 35h60v20h-60z" />
    </>
  ),
];

/** A round picture of a person. The name beside it says who. */
export function Avatar({ id, size }: { readonly id: string; readonly size: number | string }) {
  const palette = paletteOf(id);
  const hash = hashOf(`${id} motif`);
  const motif = motifs[hash % motifs.length] as (palette: Palette) => React.ReactNode;
  const mirrored = (hash >>> 8) & 1;
  const tilt = (((hash >>> 9) % 5) - 2) * 9;
  return (
    <span className="avatar" style={{ width: size, height: size }} aria-hidden="true">
      <svg viewBox="0 0 40 40" aria-hidden="true">
        <path fill={palette.ground} d="M0 0h40v40H0z" />
        <g transform={`${mirrored ? "matrix(-1 0 0 1 40 0) " : ""}rotate(${tilt} 20 20)`}>{motif(palette)}</g>
      </svg>
    </span>
  );
}
