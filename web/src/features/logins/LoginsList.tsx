import type { Login } from "@nexus/sdk/wire";
import { useEffect, useState } from "react";
import { useClient } from "../../app/ClientContext.tsx";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { FormError } from "../../ui/Field.tsx";
import { ListSkeleton } from "../../ui/Skeleton.tsx";
import { plainMoment } from "../messages/times.ts";

/** Every browser and app that is signed in, with a way to end each but this one. */
export function LoginsList() {
  const { t } = useTranslation();
  const client = useClient();
  const [logins, setLogins] = useState<readonly Login[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);

  useEffect(() => {
    let gone = false;
    client.rest.logins().then(
      (list) => {
        if (!gone) setLogins(list.toSorted((a, b) => Number(b.current) - Number(a.current)));
      },
      (caught: unknown) => {
        if (!gone) setFailure(sentenceOf(caught));
      },
    );
    return () => {
      gone = true;
    };
  }, [client]);

  const end = async (id: string) => {
    try {
      await client.rest.endLogin(id);
      setLogins((list) => list?.filter((login) => login.id !== id) ?? null);
    } catch (caught) {
      setFailure(sentenceOf(caught));
    }
  };

  return (
    <section>
      <h3 className="section-head ps-0!">{t("settings.logins")}</h3>
      <FormError>{failure}</FormError>
      {logins || failure ? null : <ListSkeleton label={t("settings.logins")} rows={2} />}
      <ul className="max-h-52 overflow-y-auto px-px">
        {logins?.map((login) => (
          <li key={login.id} className="flex min-h-13 items-center gap-3 border-t border-line py-2 first:border-t-0">
            <span className="min-w-0 flex-1">
              <span className="cut block font-medium">{login.client || t("settings.unknownClient")}</span>
              <span className="block text-xs text-ink-3">
                {login.current ? t("settings.thisLogin") : t("settings.lastUsed", { when: plainMoment(Date.parse(login.last_used_at)) })}
              </span>
            </span>
            {login.current ? null : (
              <Button onClick={() => end(login.id)} aria-label={t("settings.endLogin", { client: login.client })}>
                {t("settings.end")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
