import { ApiError } from "@nexus/sdk/rest/errors";
import type { Invite } from "@nexus/sdk/wire";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { access, isLoggedIn } from "../../app/access.ts";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { FormError } from "../../ui/Field.tsx";
import { GuildTile } from "../../ui/GuildTile.tsx";
import { EntryLayout } from "../logins/EntryLayout.tsx";

type Looked = { readonly invite: Invite; readonly loggedIn: boolean } | { readonly failure: unknown };

/** Shows what an invite leads to, and joins. Who has no account makes one first and comes back here. */
export function InvitePage() {
  const { t } = useTranslation();
  const { code } = useParams({ from: "/invite/$code" });
  const [looked, setLooked] = useState<Looked | null>(null);

  useEffect(() => {
    let gone = false;
    Promise.all([access.rest.invite(code), isLoggedIn()]).then(
      ([invite, loggedIn]) => {
        if (!gone) setLooked({ invite, loggedIn });
      },
      (failure: unknown) => {
        if (!gone) setLooked({ failure });
      },
    );
    return () => {
      gone = true;
    };
  }, [code]);

  if (!looked) return <EntryLayout title={t("invite.loading")} />;
  if ("failure" in looked) return <RefusedInvite failure={looked.failure} />;
  return <OpenInvite invite={looked.invite} loggedIn={looked.loggedIn} />;
}

function OpenInvite({ invite, loggedIn }: { readonly invite: Invite; readonly loggedIn: boolean }) {
  const { t } = useTranslation();
  const guild = invite.guild.name;
  const count = invite.approximate_member_count ?? 0;
  const title = invite.inviter ? t("invite.title", { inviter: invite.inviter.username, guild }) : t("invite.titlePlain", { guild });
  const next = `/invite/${invite.code}`;
  return (
    <EntryLayout title={title} lead={count > 0 ? t("invite.members", { count }) : undefined}>
      <div className="flex items-center gap-3 text-md font-medium">
        <GuildTile id={invite.guild.id} name={guild} />
        {guild}
      </div>
      {loggedIn ? (
        <JoinButton invite={invite} />
      ) : (
        <>
          <p className="text-ink-2">{t("invite.needAccount")}</p>
          <div className="flex flex-wrap gap-2">
            <Link to="/register" search={{ next }} className="button" data-tone="main">
              {t("entry.register")}
            </Link>
            <Link to="/login" search={{ next }} className="button">
              {t("entry.login")}
            </Link>
          </div>
        </>
      )}
    </EntryLayout>
  );
}

function JoinButton({ invite }: { readonly invite: Invite }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [working, setWorking] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const join = async () => {
    setWorking(true);
    setFailure(null);
    try {
      const joined = await access.rest.join(invite.code);
      await navigate({
        to: "/channels/$guildId/$channelId",
        params: { guildId: joined.guild.id, channelId: joined.channel.id },
        replace: true,
      });
    } catch (caught) {
      setWorking(false);
      setFailure(sentenceOf(caught));
    }
  };
  return (
    <>
      <FormError>{failure}</FormError>
      <div>
        <Button tone="main" working={working} onClick={join}>
          {t("invite.join", { guild: invite.guild.name })}
        </Button>
      </div>
    </>
  );
}

function RefusedInvite({ failure }: { readonly failure: unknown }) {
  const { t } = useTranslation();
  const status = failure instanceof ApiError ? failure.status : 0;
  const words =
    status === 410
      ? { title: t("invite.invalid"), lead: t("invite.invalidLead") }
      : status === 404
        ? { title: t("invite.notFound"), lead: t("invite.notFoundLead") }
        : { title: t("invite.loading"), lead: sentenceOf(failure) };
  return (
    <EntryLayout title={words.title} lead={words.lead}>
      <div>
        <Link to="/" className="button">
          {t("action.goHome")}
        </Link>
      </div>
    </EntryLayout>
  );
}
