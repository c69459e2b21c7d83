/** Rows of a conversation that is on its way. */
export function MessagesSkeleton({ label }: { readonly label: string }) {
  return (
    <div className="skeleton flex flex-1 flex-col justify-end gap-6 overflow-hidden pb-6" role="status" aria-label={label}>
      {[62, 38, 80, 46, 70].map((width) => (
        <div key={width} className="flex gap-3 ps-5 pe-8">
          <i className="size-9 flex-none rounded-full!" />
          <div className="grid flex-1 content-start gap-2 pt-1">
            <i className="h-3 w-28" />
            <i className="h-3" style={{ width: `${width}%` }} />
          </div>
        </div>
      ))}
    </div>
  );
}

/** Rows of a list that is on its way. */
export function ListSkeleton({ label, rows = 5 }: { readonly label: string; readonly rows?: number }) {
  return (
    <div className="skeleton grid gap-4 px-2 pt-3" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: The rows are all alike.
        <i key={index} className="h-4" style={{ width: `${55 + ((index * 29) % 40)}%` }} />
      ))}
    </div>
  );
}
