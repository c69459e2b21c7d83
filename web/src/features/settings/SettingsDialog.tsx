import { LogOut } from "lucide-react";
import { useState } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { type Choice, choices, type Preference, prefer, usePreference } from "../../look/preferences.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { PASSWORD_CHARS } from "../logins/credentials.ts";
import { LoginsList } from "../logins/LoginsList.tsx";

export function SettingsDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const me = useSelect((state) => state.me);
  const logout = useSubmit(async () => {
    await client.logout();
  });
  if (!me) return null;
  return (
    <Dialog wide title={t("settings.title")} onClose={onClose}>
      <div className="dialog-body gap-6!">
        <section className="flex flex-wrap items-center gap-3" aria-label={t("settings.account")}>
          <Avatar id={me.id} size={44} />
          <div className="min-w-0 flex-1">
            <p className="cut text-md font-semibold">{me.username}</p>
            {me.admin ? <p className="text-xs text-ink-3">{t("settings.admin")}</p> : null}
          </div>
          <Button icon={<Icon of={LogOut} />} working={logout.working} onClick={logout.onClick}>
            {t("settings.logout")}
          </Button>
          {logout.failure ? (
            <p className="basis-full text-danger-ink" role="alert">
              {t("settings.stillSignedIn", { why: logout.failure })}
            </p>
          ) : null}
        </section>
        <section className="grid gap-2.5">
          <h3 className="section-head ps-0!">{t("settings.look")}</h3>
          <PreferenceLine name="theme" label={t("settings.theme")} words={(value) => t(`settings.themes.${value}`)} />
          <PreferenceLine name="contrast" label={t("settings.contrast")} words={(value) => t(`settings.contrasts.${value}`)} />
          <PreferenceLine name="density" label={t("settings.density")} words={(value) => t(`settings.densities.${value}`)} />
        </section>
        <LoginsList />
        <PasswordForm />
      </div>
    </Dialog>
  );
}

interface PreferenceLineProps<P extends Preference> {
  readonly name: P;
  readonly label: string;
  readonly words: (value: Choice<P>) => string;
}

function PreferenceLine<P extends Preference>({ name, label, words }: PreferenceLineProps<P>) {
  const value = usePreference(name);
  const options = (choices[name] as readonly Choice<P>[]).map((choice) => [choice, words(choice)] as const);
  return <Segments label={label} value={value} options={options} onChange={(chosen) => prefer(name, chosen)} />;
}

function PasswordForm() {
  const { t } = useTranslation();
  const client = useClient();
  const [saved, setSaved] = useState(false);
  const [short, setShort] = useState<string | null>(null);
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const next = String(form.get("new_password"));
    const fits = next.length >= PASSWORD_CHARS.min;
    setShort(fits ? null : t("errors.password_length", PASSWORD_CHARS));
    setSaved(false);
    if (!fits) return;
    await client.rest.changePassword({ password: String(form.get("password")), new_password: next });
    setSaved(true);
  });
  return (
    <form className="grid gap-3" onSubmit={onSubmit} key={saved ? "saved" : "open"}>
      <h3 className="section-head ps-0!">{t("settings.password")}</h3>
      <div className="grid items-start gap-3 md:grid-cols-2">
        <TextField name="password" type="password" required label={t("settings.oldPassword")} autoComplete="current-password" />
        <TextField
          name="new_password"
          type="password"
          required
          label={t("settings.newPassword")}
          autoComplete="new-password"
          maxLength={PASSWORD_CHARS.max}
          error={short}
        />
      </div>
      <FormError>{failure}</FormError>
      <div className="flex items-center justify-between gap-3">
        <p className="text-xs text-ink-3" role="status">
          {saved ? t("settings.passwordSaved") : t("settings.passwordNote")}
        </p>
        <Button type="submit" working={working}>
          {t("settings.password")}
        </Button>
      </div>
    </form>
  );
}
