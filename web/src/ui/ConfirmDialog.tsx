import { useSubmit } from "../app/useSubmit.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { FormError } from "./Field.tsx";

export interface ConfirmDialogProps {
  /** A question that names what goes. */
  readonly title: string;
  readonly lead: string;
  /** The words that change nothing. */
  readonly keep: string;
  /** The verb and its object. */
  readonly act: string;
  readonly onAct: () => Promise<void>;
  readonly onClose: () => void;
}

/** Asks before something is destroyed. The harmless answer comes first and has the focus. */
export function ConfirmDialog({ title, lead, keep, act, onAct, onClose }: ConfirmDialogProps) {
  const { working, failure, onClick } = useSubmit(onAct);
  return (
    <Dialog title={title} lead={lead} onClose={onClose}>
      <FormError>{failure}</FormError>
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          {keep}
        </Button>
        <Button tone="danger" working={working} onClick={onClick}>
          {act}
        </Button>
      </div>
    </Dialog>
  );
}
