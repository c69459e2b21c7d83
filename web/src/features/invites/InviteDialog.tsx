import { Permission } from "@nexus/sdk/permissions";
import { mayI } from "@nexus/sdk/store/selectors";
import type { Invite } from "@nexus/sdk/wire";
import { Copy } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Select } from "../../ui/Select.tsx";
import { plainMoment } from "../messages/times.ts";
import { inviteLink } from "./inviteLinks.ts";

/** Seconds, as the wire takes them. */
const ages = ["1800", "3600", "21600", "86400", "604800", "0"] as const;
const maxima = ["0", "1", "5", "10", "25", "100"] as const;
type Age = (typeof ages)[number];
type Max = (typeof maxima)[number];

export interface InviteDialogProps {
  readonly guildId: string;
  readonly channelId: string;
  readonly onClose: () => void;
}

/** A link at once; its terms can be changed, which makes a new one. */
export function InviteDialog({ guildId, channelId, onClose }: InviteDialogProps) {
  const { t } = useTranslation();
  const client = useClient();
  const guild = useSelect((state) => state.guilds.get(guildId)?.name ?? "");
  const mayList = useSelect((state) => mayI(state, Permission.manageGuild, guildId));
  const [age, setAge] = useState<Age>("604800");
  const [max, setMax] = useState<Max>("0");
  const [invite, setInvite] = useState<Invite | null>(null);
  const [failure, setFailure] = useState<string | null>(null);

  const make = useCallback(
    async (newAge: Age, newMax: Max) => {
      setInvite(null);
      setFailure(null);
      try {
        setInvite(await client.rest.createInvite(channelId, { max_age: Number(newAge), max_uses: Number(newMax) }));
      } catch (caught) {
        setFailure(sentenceOf(caught));
      }
    },
    [client, channelId],
  );

  const made = useRef(false);
  useEffect(() => {
    if (made.current) return;
    made.current = true;
    void make("604800", "0");
  }, [make]);

  return (
    <Dialog wide title={t("invites.dialogTitle", { guild })} lead={t("invites.dialogLead")} onClose={onClose}>
      <div className="dialog-body">
        <LinkLine link={invite ? inviteLink(invite.code, location.origin) : null} />
        <div className="grid grid-cols-2 gap-3">
          <Select
            label={t("invites.expires")}
            value={age}
            options={ages.map((value) => [value, t(`invites.age.${value}`)] as const)}
            onChange={(value) => {
              setAge(value);
              void make(value, max);
            }}
          />
          <Select
            label={t("invites.uses")}
            value={max}
            options={maxima.map((value) => [value, t(`invites.max.${value}`)] as const)}
            onChange={(value) => {
              setMax(value);
              void make(age, value);
            }}
          />
        </div>
        <FormError>{failure}</FormError>
        {mayList ? <LiveInvites guildId={guildId} except={invite?.code ?? null} /> : null}
      </div>
    </Dialog>
  );
}

function LinkLine({ link }: { readonly link: string | null }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState<string | null>(null);
  const copy = async () => {
    if (!link) return;
    try {
      await navigator.clipboard.writeText(link);
      setCopied(link);
    } catch {
      // Without a secure origin there is no clipboard; the field selects itself for copying by hand.
    }
  };
  return (
    <div className="flex items-end gap-2">
      <div className="min-w-0 flex-1">
        <TextField
          label={t("invites.link")}
          readOnly
          value={link ?? ""}
          placeholder={t("invites.making")}
          onFocus={(event) => event.target.select()}
        />
      </div>
      <Button tone="main" icon={<Icon of={Copy} />} disabled={!link} onClick={copy}>
        <span aria-live="polite">{copied !== null && copied === link ? t("action.copied") : t("invites.copyLink")}</span>
      </Button>
    </div>
  );
}

/** The guild's other links, with a way to end each. */
function LiveInvites({ guildId, except }: { readonly guildId: string; readonly except: string | null }) {
  const { t } = useTranslation();
  const client = useClient();
  const [invites, setInvites] = useState<readonly Invite[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: A new link changes the list.
  useEffect(() => {
    let gone = false;
    client.rest.guildInvites(guildId).then(
      (list) => {
        if (!gone) setInvites(list);
      },
      (caught: unknown) => {
        if (!gone) setFailure(sentenceOf(caught));
      },
    );
    return () => {
      gone = true;
    };
  }, [client, guildId, except]);

  const revoke = async (code: string) => {
    try {
      await client.rest.revokeInvite(code);
      setInvites((list) => list?.filter((invite) => invite.code !== code) ?? null);
    } catch (caught) {
      setFailure(sentenceOf(caught));
    }
  };

  const others = invites?.filter((invite) => invite.code !== except) ?? [];
  return (
    <section>
      <h3 className="section-head ps-0!">{t("invites.existing")}</h3>
      <FormError>{failure}</FormError>
      {invites && others.length === 0 ? <p className="text-ink-3">{t("invites.none")}</p> : null}
      <ul className="max-h-48 overflow-y-auto px-px">
        {others.map((invite) => (
          <li key={invite.code} className="flex items-center gap-3 border-t border-line py-2 first:border-t-0">
            <span className="min-w-0 flex-1">
              <span className="cut block font-mono">{invite.code}</span>
              <span className="block text-xs text-ink-3">
                <Terms invite={invite} />
              </span>
            </span>
            <Button onClick={() => revoke(invite.code)} aria-label={`${t("invites.revoke")} ${invite.code}`}>
              {t("invites.revoke")}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Terms({ invite }: { readonly invite: Invite }) {
  const { t } = useTranslation();
  const uses = invite.uses ?? 0;
  const max = invite.max_uses ?? 0;
  const end = invite.expires_at ? t("invites.endsAt", { when: plainMoment(Date.parse(invite.expires_at)) }) : t("invites.never");
  const used = max > 0 ? t("invites.usedOf", { uses, max }) : uses === 0 ? t("invites.usedNever") : t("invites.used", { count: uses });
  return `${end}, ${used}`;
}
