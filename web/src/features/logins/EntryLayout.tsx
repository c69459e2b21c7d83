import type { ReactNode } from "react";
import { Logo } from "../../ui/Logo.tsx";

export interface EntryLayoutProps {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly children?: ReactNode;
}

/** The sheet before anybody is logged in: one column at the text edge. */
export function EntryLayout({ title, lead, children }: EntryLayoutProps) {
  return (
    <div className="entry">
      <main className="sheet" data-nx-part="entry">
        <div className="entry-column grid gap-5">
          <Logo size={40} />
          <div>
            <h1>{title}</h1>
            {lead ? <p className="mt-1 text-md text-ink-2">{lead}</p> : null}
          </div>
          {children}
        </div>
      </main>
    </div>
  );
}
