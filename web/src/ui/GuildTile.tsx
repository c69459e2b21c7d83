import { hashOf, initialsOf } from "./art.ts";

/** Grounds that white letters reach 4.5 on. */
const grounds = ["#0F3D47", "#7E3A24", "#23242F", "#2F5A47", "#433DA6", "#7A2E4A", "#1F4E79", "#5B4A1E"] as const;

/** A rounded square for a community: its letters over a low horizon. */
export function GuildTile({ id, name, size = 40 }: { readonly id: string; readonly name: string; readonly size?: number }) {
  const ground = grounds[hashOf(id) % grounds.length];
  const lift = 22 + (hashOf(`${id} horizon`) % 8);
  return (
    <svg width={size} height={size} viewBox="0 0 40 40" aria-hidden="true">
      <rect width="40" height="40" rx={12 * (40 / Math.max(size, 40))} fill={ground} />
      <clipPath id={`tile-${id}-${size}`}>
        <rect width="40" height="40" rx="12" />
      </clipPath>
      <g clipPath={`url(#tile-${id}-${size})`} fill="#fff">
        <path fillOpacity=".1" d={`M0 ${lift}q10-7 20 0t20 0v20H0z`} />
        <path fillOpacity=".09" d={`M0 ${lift + 8}q10 6 20 0t20 0v20H0z`} />
      </g>
      <text x="20" y="25" textAnchor="middle" fontSize="14" fontWeight="600" letterSpacing=".2" fill="#fff" className="select-none">
        {initialsOf(name)}
      </text>
    </svg>
  );
}
