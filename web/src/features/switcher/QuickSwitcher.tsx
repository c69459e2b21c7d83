import { useNavigate } from "@tanstack/react-router";
import { Hash, Search } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { type KeyboardEvent, useId, useMemo, useState } from "react";
import { useSelect } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { GuildTile } from "../../ui/GuildTile.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { type Entry, entriesOf } from "./entries.ts";

/** Ctrl K: a few letters, Enter. */
export function QuickSwitcher({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const id = useId();
  const [input, setInput] = useState("");
  const [chosen, setChosen] = useState(0);
  const state = useSelect((current) => current);
  const entries = useMemo(() => entriesOf(state, input), [state, input]);
  const at = Math.min(chosen, entries.length - 1);

  const go = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    if (entry.kind === "guild") void navigate({ to: "/channels/$guildId", params: { guildId: entry.guildId } });
    else void navigate({ to: "/channels/$guildId/$channelId", params: { guildId: entry.guildId, channelId: entry.id } });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && entries.length > 0) {
      event.preventDefault();
      setChosen((at + step + entries.length) % entries.length);
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      go(entries[at]);
    }
  };

  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="scrim" />
        <div className="dialog-place" data-place="top">
          <Radix.Content className="jumpbox" data-nx-part="quick-switcher" aria-describedby={undefined}>
            <Radix.Title className="vh">{t("switcher.label")}</Radix.Title>
            <div className="query">
              <Icon of={Search} size="lg" />
              <input
                value={input}
                role="combobox"
                aria-expanded={entries.length > 0}
                aria-controls={id}
                aria-activedescendant={entries[at] ? `${id}-${at}` : undefined}
                aria-label={t("switcher.placeholder")}
                placeholder={t("switcher.placeholder")}
                autoComplete="off"
                spellCheck={false}
                onChange={(event) => {
                  setInput(event.target.value);
                  setChosen(0);
                }}
                onKeyDown={onKeyDown}
              />
            </div>
            <div className="results" role="listbox" id={id} aria-label={t("switcher.results")}>
              {entries.length === 0 ? <p className="px-2.5 py-3 text-ink-3">{t("switcher.none")}</p> : null}
              {(["channel", "guild"] as const).map((kind) => {
                const group = entries.flatMap((entry, index) => (entry.kind === kind ? [{ entry, index }] : []));
                if (group.length === 0) return null;
                const head = kind === "channel" ? t("switcher.channels") : t("switcher.guilds");
                return (
                  // biome-ignore lint/a11y/useSemanticElements: A group of options.
                  <div key={kind} role="group" aria-label={head}>
                    <div className="group-head" aria-hidden="true">
                      {head}
                    </div>
                    {group.map(({ entry, index }) => (
                      <Option
                        key={entry.id}
                        id={`${id}-${index}`}
                        entry={entry}
                        chosen={index === at}
                        onHover={() => setChosen(index)}
                        onGo={() => go(entry)}
                      />
                    ))}
                  </div>
                );
              })}
            </div>
            <footer aria-hidden="true">
              <span>
                <span className="kbd">#</span> {t("switcher.scopeChannels")}
              </span>
              <span>
                <span className="kbd">*</span> {t("switcher.scopeGuilds")}
              </span>
            </footer>
          </Radix.Content>
        </div>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface OptionProps {
  readonly id: string;
  readonly entry: Entry;
  readonly chosen: boolean;
  readonly onHover: () => void;
  readonly onGo: () => void;
}

function Option({ id, entry, chosen, onHover, onGo }: OptionProps) {
  const { t } = useTranslation();
  const [start, end] = entry.match.at;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: The combobox above has the keys.
    // biome-ignore lint/a11y/useFocusableInteractive: The combobox names it by aria-activedescendant.
    <div id={id} className="option" role="option" aria-selected={chosen} onPointerMove={onHover} onClick={onGo}>
      {entry.kind === "channel" ? <Icon of={Hash} /> : <GuildTile id={entry.id} name={entry.name} size={22} />}
      <span className="cut">
        {entry.name.slice(0, start)}
        <mark>{entry.name.slice(start, end)}</mark>
        {entry.name.slice(end)}
      </span>
      {entry.unread ? (
        <>
          <span className="unread-dot" />
          <span className="vh">{t("channels.unread")}</span>
        </>
      ) : null}
      <span className="end">
        {entry.hint}
        {chosen ? <span className="kbd">{t("switcher.enter")}</span> : null}
      </span>
    </div>
  );
}
