/** What a name and a password must look like, checked before they are sent. The instance checks again. */
import i18next from "i18next";

export const USERNAME_CHARS = { min: 2, max: 32 } as const;
export const PASSWORD_CHARS = { min: 8, max: 128 } as const;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export type CredentialErrors = Partial<Record<keyof Credentials, string>>;

/** What is wrong with which field; empty if nothing is. For a known account only presence counts: an older instance may have allowed more. */
export function checkCredentials({ username, password }: Credentials, purpose: "new" | "known"): CredentialErrors {
  const errors: CredentialErrors = {};
  if (purpose === "known") {
    if (username === "") errors.username = i18next.t("errors.required");
    if (password === "") errors.password = i18next.t("errors.required");
    return errors;
  }
  if (!fits(username, USERNAME_CHARS)) errors.username = i18next.t("errors.name_length", USERNAME_CHARS);
  else if (!/^[A-Za-z0-9._-]+$/.test(username)) errors.username = i18next.t("errors.name_letters");
  if (!fits(password, PASSWORD_CHARS)) errors.password = i18next.t("errors.password_length", PASSWORD_CHARS);
  return errors;
}

/** Counted by code point, as the instance counts. */
function fits(text: string, chars: { readonly min: number; readonly max: number }): boolean {
  const length = [...text].length;
  return length >= chars.min && length <= chars.max;
}
