import { type ComponentProps, type ReactNode, useId } from "react";
import { AlertMark } from "./AlertMark.tsx";

interface FieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly error?: string | null | undefined;
}

/** What ties a control to its label and its hint. */
interface Tied {
  readonly id: string;
  readonly className: string;
  readonly "aria-invalid": true | undefined;
  readonly "aria-describedby": string | undefined;
}

function Labelled({ label, hint, error, children }: FieldProps & { readonly children: (tied: Tied) => ReactNode }) {
  const id = useId();
  const describedBy = hint || error ? `${id}-hint` : undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, className: "input", "aria-invalid": error ? true : undefined, "aria-describedby": describedBy })}
      <Hint id={`${id}-hint`} hint={hint} error={error} />
    </div>
  );
}

/** A labelled line of text with its hint or error. */
export function TextField({ label, hint, error, ...input }: FieldProps & ComponentProps<"input">) {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(tied) => <input {...input} {...tied} />}
    </Labelled>
  );
}

/** The same over several lines. */
export function TextAreaField({ label, hint, error, ...input }: FieldProps & ComponentProps<"textarea">) {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(tied) => <textarea {...input} {...tied} />}
    </Labelled>
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
