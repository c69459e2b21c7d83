import { Permission } from "@nexus/sdk/permissions";
import { mayI, type Person, peopleOf } from "@nexus/sdk/store/selectors";
import { UserMinus, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useSelect } from "../../app/ClientContext.tsx";
import { useMedia, WIDE } from "../../app/useMedia.ts";
import { closePeoplePanel, openDialog } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { plainDate } from "../messages/times.ts";

export interface PeopleProps {
  readonly guildId: string;
  readonly channelId: string;
}

/** The members of the guild: a column where there is room, a panel over the sheet's end edge elsewhere. */
export function People({ guildId, channelId }: PeopleProps) {
  const { t } = useTranslation();
  const wide = useMedia(WIDE);
  const guild = useSelect((state) => state.guilds.get(guildId));
  const people = useSelect((state) => peopleOf(state, guildId));
  const [chosenId, setChosenId] = useState<string | null>(null);
  const panel = usePanelFocus(!wide);
  if (!guild) return null;
  const owner = people.filter((person) => person.user.id === guild.owner_id);
  const others = people.filter((person) => person.user.id !== guild.owner_id);
  const chosen = people.find((person) => person.user.id === chosenId);
  const row = (person: Person) => (
    <PersonRow
      key={person.user.id}
      person={person}
      channelId={channelId}
      chosen={person.user.id === chosenId}
      onChoose={() => setChosenId(person.user.id === chosenId ? null : person.user.id)}
    />
  );
  return (
    <aside className="side" data-nx-part="member-list" aria-label={t("members.title")} ref={panel} tabIndex={-1}>
      <div className="bar">
        <h2>
          {t("members.title")} <span className="num">{guild.member_count}</span>
        </h2>
        {wide ? null : <IconButton icon={X} label={t("action.close")} keys="Esc" onClick={closePeoplePanel} />}
      </div>
      <div className="people">
        {guild.large ? <p className="px-2.5 pt-2 text-ink-3">{t("members.tooLarge", { total: guild.member_count })}</p> : null}
        {owner.length > 0 ? <h3>{t("members.owner")}</h3> : null}
        {owner.map(row)}
        {others.length > 0 ? <h3>{t("members.members")}</h3> : null}
        {others.map(row)}
      </div>
      {chosen ? <Peek person={chosen} guildId={guildId} isOwner={chosen.user.id === guild.owner_id} /> : null}
    </aside>
  );
}

interface PersonRowProps {
  readonly person: Person;
  readonly channelId: string;
  readonly chosen: boolean;
  readonly onChoose: () => void;
}

function PersonRow({ person, channelId, chosen, onChoose }: PersonRowProps) {
  const { t } = useTranslation();
  const mine = useSelect((state) => state.me?.id === person.user.id);
  const writing = useSelect((state) => state.typing.get(channelId)?.has(person.user.id) ?? false);
  const since = t("members.since", { date: plainDate(Date.parse(person.member.joined_at)) });
  return (
    <button type="button" className="person" aria-expanded={chosen} onClick={onChoose}>
      <Avatar id={person.user.id} size="var(--nx-avatar-sm)" />
      <span>
        <b className="cut">
          {mine ? t("members.you", { name: person.name }) : person.name} <BotTag user={person.user} />
        </b>
        <small className="cut">{writing ? t("members.writing") : since}</small>
      </span>
    </button>
  );
}

/** Stands beside the name of a program. */
function BotTag({ user }: { readonly user: Person["user"] }) {
  const { t } = useTranslation();
  return user.bot ? <span className="tag">{t("members.bot")}</span> : null;
}

interface PeekProps {
  readonly person: Person;
  readonly guildId: string;
  readonly isOwner: boolean;
}

/** The chosen person, docked under the list. */
function Peek({ person, guildId, isOwner }: PeekProps) {
  const { t } = useTranslation();
  const mayRemove = useSelect((state) => mayI(state, Permission.kickMembers, guildId) && state.me?.id !== person.user.id) && !isOwner;
  const date = plainDate(Date.parse(person.member.joined_at));
  return (
    <section className="peek" data-nx-part="profile-peek" aria-label={person.name}>
      <header>
        <Avatar id={person.user.id} size={44} />
        <div className="cut">
          <b className="cut">
            {person.name} <BotTag user={person.user} />
          </b>
          <small className="cut">@{person.user.username}</small>
        </div>
      </header>
      <small className="mt-2.5!">{isOwner ? t("members.ownerOf", { date }) : t("members.memberOf", { date })}</small>
      {mayRemove ? (
        <Button
          className="mt-3 w-full"
          icon={<Icon of={UserMinus} />}
          onClick={() => openDialog({ kind: "remove_member", guildId, userId: person.user.id })}
        >
          {t("members.remove")}
        </Button>
      ) : null}
    </section>
  );
}

/** A panel over the sheet takes the focus, gives it back, and closes with Esc. */
function usePanelFocus(isPanel: boolean) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!isPanel) return;
    const before = document.activeElement as HTMLElement | null;
    panel.current?.focus();
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented) closePeoplePanel();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => {
      document.removeEventListener("keydown", onKeyDown);
      before?.focus();
    };
  }, [isPanel]);
  useEffect(() => closePeoplePanel, []);
  return panel;
}
