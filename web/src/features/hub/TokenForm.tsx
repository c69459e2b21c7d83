import { ApiError } from "@nexus/sdk/rest/errors";
import { useState } from "react";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { TextField } from "../../ui/Field.tsx";
import { holderOf, type Who } from "./who.ts";

export interface TokenFormProps {
  /** The token that was kept is no longer good. */
  readonly refused: boolean;
  readonly onWho: (who: Who) => void;
}

/** Asks for an admin token: on a server that runs the hub alone there are no accounts to sign in with. */
export function TokenForm({ refused, onWho }: TokenFormProps) {
  const { t } = useTranslation();
  const [failure, setFailure] = useState<string | null>(refused ? t("hub.who.tokenOver") : null);
  const [working, setWorking] = useState(false);

  const submit = async (form: FormData) => {
    const token = String(form.get("token") ?? "").trim();
    if (!token) return setFailure(t("errors.required"));
    setWorking(true);
    setFailure(null);
    try {
      onWho(await holderOf(token));
    } catch (why) {
      setFailure(why instanceof ApiError && why.status === 401 ? t("hub.who.tokenBad") : sentenceOf(why));
      setWorking(false);
    }
  };

  return (
    <section className="empty">
      <h1>{t("hub.who.tokenTitle")}</h1>
      <p>{t("hub.who.tokenLead")}</p>
      <pre className="hub-command">nexus admin token create</pre>
      <form
        className="hub-token"
        onSubmit={(event) => {
          event.preventDefault();
          if (!working) void submit(new FormData(event.currentTarget));
        }}
      >
        <TextField
          label={t("hub.who.token")}
          name="token"
          type="password"
          hint={t("hub.who.tokenHint")}
          error={failure}
          autoComplete="off"
          spellCheck={false}
        />
        <Button type="submit" tone="main" working={working}>
          {t("hub.who.open")}
        </Button>
      </form>
    </section>
  );
}
