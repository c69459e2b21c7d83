import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "../i18n/useTranslation.ts";
import { IconButton } from "./IconButton.tsx";

export interface DialogProps {
  readonly title: string;
  /** One sentence under the title; also what a screen reader says after it. */
  readonly lead?: ReactNode;
  readonly wide?: boolean;
  readonly onClose: () => void;
  readonly children?: ReactNode;
}

/** A dialog that traps focus, gives it back and closes with Esc. */
export function Dialog({ title, lead, wide, onClose, children }: DialogProps) {
  const { t } = useTranslation();
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="scrim" />
        <div className="dialog-place">
          <Radix.Content
            className="dialog"
            data-size={wide ? "wide" : undefined}
            data-nx-part="dialog"
            onOpenAutoFocus={focusDialog}
            {...(lead ? {} : { "aria-describedby": undefined })}
          >
            <div className="dialog-head">
              <Radix.Title className="dialog-title">{title}</Radix.Title>
              <Radix.Close asChild>
                <IconButton icon={X} label={t("action.close")} keys="Esc" small />
              </Radix.Close>
            </div>
            {lead ? <Radix.Description className="dialog-lead">{lead}</Radix.Description> : null}
            {children}
          </Radix.Content>
        </div>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** The dialog itself, not its close button: a reader hears the title first. A field that wants the focus has taken it already. */
export function focusDialog(event: Event): void {
  event.preventDefault();
  (event.currentTarget as HTMLElement).focus();
}
