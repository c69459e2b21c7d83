import { Link } from "@tanstack/react-router";
import { type LucideIcon, ScanSearch, SlidersHorizontal } from "lucide-react";
import { Tooltip } from "radix-ui";
import { Icon } from "./Icon.tsx";

export interface ToolLinksProps {
  readonly audit: string;
  readonly admin: string;
}

/** The foot of the rail: the pages about the server itself. */
export function ToolLinks({ audit, admin }: ToolLinksProps) {
  return (
    <>
      <ToolLink to="/audit" icon={ScanSearch} label={audit} />
      <ToolLink to="/admin" icon={SlidersHorizontal} label={admin} />
    </>
  );
}

function ToolLink({ to, icon, label }: { readonly to: "/audit" | "/admin"; readonly icon: LucideIcon; readonly label: string }) {
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
