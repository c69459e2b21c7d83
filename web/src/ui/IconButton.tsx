import type { LucideIcon } from "lucide-react";
import { Tooltip } from "radix-ui";
import type { ComponentProps } from "react";
import { Icon } from "./Icon.tsx";

export interface IconButtonProps extends Omit<ComponentProps<"button">, "children"> {
  readonly icon: LucideIcon;
  /** Its accessible name, also shown as a tooltip. */
  readonly label: string;
  /** Shown after the label, as `Ctrl K`. */
  readonly keys?: string;
  readonly small?: boolean;
  readonly large?: boolean;
  readonly tip?: "top" | "bottom" | "right";
}

export function IconButton({ icon, label, keys, small, large, tip = "bottom", className, ...rest }: IconButtonProps) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button type="button" {...rest} aria-label={label} className={className ?? "icon-button"} data-size={small ? "small" : undefined}>
          <Icon of={icon} {...(large ? { size: "lg" as const } : {})} />
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" side={tip} sideOffset={5}>
          {label}
          {keys ? ` (${keys})` : ""}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
