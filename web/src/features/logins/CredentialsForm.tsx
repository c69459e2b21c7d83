import { ApiError } from "@nexus/sdk/rest/errors";
import { type FormEvent, useState } from "react";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { type CredentialErrors, type Credentials, checkCredentials, PASSWORD_CHARS, USERNAME_CHARS } from "./credentials.ts";

export interface CredentialsFormProps {
  readonly purpose: "new" | "known";
  readonly submit: string;
  readonly onSubmit: (credentials: Credentials) => Promise<void>;
}

/** Name and password. Password managers and paste work in both fields. */
export function CredentialsForm({ purpose, submit, onSubmit }: CredentialsFormProps) {
  const { t } = useTranslation();
  const [errors, setErrors] = useState<CredentialErrors>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [working, setWorking] = useState(false);

  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (working) return;
    const form = event.currentTarget;
    const data = new FormData(form);
    const credentials = { username: String(data.get("username")).trim(), password: String(data.get("password")) };
    const wrong = checkCredentials(credentials, purpose);
    setFailure(null);
    setErrors(wrong);
    const first = wrong.username ? "username" : wrong.password ? "password" : null;
    if (first) {
      form.querySelector<HTMLInputElement>(`[name=${first}]`)?.focus();
      return;
    }
    setWorking(true);
    try {
      await onSubmit(credentials);
    } catch (caught) {
      setWorking(false);
      if (caught instanceof ApiError && caught.reason === "username_taken") setErrors({ username: sentenceOf(caught) });
      else setFailure(sentenceOf(caught));
    }
  };

  return (
    <form className="grid gap-4" onSubmit={send} noValidate>
      <TextField
        name="username"
        label={t("entry.username")}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        maxLength={USERNAME_CHARS.max}
        hint={purpose === "new" ? t("entry.usernameHint") : undefined}
        error={errors.username ?? null}
      />
      <TextField
        name="password"
        type="password"
        label={t("entry.password")}
        autoComplete={purpose === "new" ? "new-password" : "current-password"}
        maxLength={PASSWORD_CHARS.max}
        hint={purpose === "new" ? t("entry.passwordHint") : undefined}
        error={errors.password ?? null}
      />
      <FormError>{failure}</FormError>
      <div>
        <Button type="submit" tone="main" working={working}>
          {submit}
        </Button>
      </div>
    </form>
  );
}
