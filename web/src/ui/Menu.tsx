import type { LucideIcon } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { Icon } from "./Icon.tsx";

export interface MenuProps {
  /** The button that opens it. */
  readonly trigger: ReactNode;
  readonly side?: "bottom" | "right";
  readonly align?: "start" | "end";
  readonly children: ReactNode;
}

/** Opens where it stands, not at the end of the page: so it belongs to its landmark, and the rest stays readable beside it. */
export function Menu({ trigger, side = "bottom", align = "start", children }: MenuProps) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Content className="menu" side={side} align={align} sideOffset={6} collisionPadding={8}>
        {children}
      </DropdownMenu.Content>
    </DropdownMenu.Root>
  );
}

export interface MenuItemProps {
  readonly icon: LucideIcon;
  readonly danger?: boolean;
  readonly onSelect: () => void;
  readonly children: ReactNode;
}

export function MenuItem({ icon, danger, onSelect, children }: MenuItemProps) {
  return (
    <DropdownMenu.Item className="menu-item" data-tone={danger ? "danger" : undefined} onSelect={onSelect}>
      <Icon of={icon} />
      {children}
    </DropdownMenu.Item>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="menu-line" />;
}
