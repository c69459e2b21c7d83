import { type ComponentProps, type ReactNode, useId } from "react";
import { AlertMark } from "./AlertMark.tsx";

interface FieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly error?: string | null;
}

/** A labelled line of text with its hint or error. */
export function TextField({ label, hint, error, ...input }: FieldProps & ComponentProps<"input">) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        {...input}
        id={id}
        className="input"
        aria-invalid={error ? true : undefined}
        aria-describedby={hint || error ? `${id}-hint` : undefined}
      />
      <Hint id={`${id}-hint`} hint={hint} error={error} />
    </div>
  );
}

/** The same over several lines. */
export function TextAreaField({ label, hint, error, ...input }: FieldProps & ComponentProps<"textarea">) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        {...input}
        id={id}
        className="input"
        aria-invalid={error ? true : undefined}
        aria-describedby={hint || error ? `${id}-hint` : undefined}
      />
      <Hint id={`${id}-hint`} hint={hint} error={error} />
    </div>
  );
}

function Hint({ id, hint, error }: { readonly id: string; readonly hint: ReactNode; readonly error: string | null | undefined }) {
  if (error) {
    return (
      <small id={id} data-tone="danger">
        <AlertMark />
        {error}
      </small>
    );
  }
  return hint ? <small id={id}>{hint}</small> : null;
}

/** What went wrong with a whole form, announced. */
export function FormError({ children }: { readonly children: ReactNode }) {
  return (
    <div role="alert">
      {children ? (
        <p className="form-error">
          <AlertMark />
          <span>{children}</span>
        </p>
      ) : null}
    </div>
  );
}
