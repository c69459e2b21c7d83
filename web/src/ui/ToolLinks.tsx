import { Link } from "@tanstack/react-router";
import { Activity, type LucideIcon, ScanSearch, SlidersHorizontal } from "lucide-react";
import { Tooltip } from "radix-ui";
import { Icon } from "./Icon.tsx";

/** Their names; what has none is not shown. */
export interface ToolLinksProps {
  readonly hub: string | null;
  readonly audit: string | null;
  readonly admin: string | null;
}

/** The foot of the rail: the pages about the server itself. */
export function ToolLinks({ hub, audit, admin }: ToolLinksProps) {
  return (
    <>
      {hub ? <ToolLink to="/hub" icon={Activity} label={hub} /> : null}
      {audit ? <ToolLink to="/audit" icon={ScanSearch} label={audit} /> : null}
      {admin ? <ToolLink to="/admin" icon={SlidersHorizontal} label={admin} /> : null}
    </>
  );
}

interface ToolLinkProps {
  readonly to: "/hub" | "/audit" | "/admin";
  readonly icon: LucideIcon;
  readonly label: string;
}

function ToolLink({ to, icon, label }: ToolLinkProps) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <Link to={to} className="tile" data-kind="tool" aria-label={label} activeProps={{ "aria-current": "page" }}>
          <Icon of={icon} size="lg" />
        </Link>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" side="right" sideOffset={8}>
          {label}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
