import type { ComponentProps, ReactNode } from "react";

export interface ButtonProps extends ComponentProps<"button"> {
  readonly tone?: "main" | "danger";
  /** Keeps width and label and shows a ring; further presses do nothing. */
  readonly working?: boolean;
  readonly icon?: ReactNode;
}

export function Button({ tone, working = false, icon, children, type = "button", onClick, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={`button ${rest.className ?? ""}`}
      data-tone={tone}
      aria-disabled={working || undefined}
      onClick={(event) => {
        if (working) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {working ? <span className="ring" aria-hidden="true" /> : icon}
      {children}
    </button>
  );
}
