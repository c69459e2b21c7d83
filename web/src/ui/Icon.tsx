import type { LucideIcon } from "lucide-react";

/** A Lucide icon at one of the three sizes. It never carries the name: that is its neighbour's or its button's. */
export function Icon({ of: Drawing, size }: { readonly of: LucideIcon; readonly size?: "sm" | "lg" }) {
  return <Drawing className={size ? `icon icon-${size}` : "icon"} aria-hidden="true" />;
}
