import { nameOf } from "@nexus/sdk/store/selectors";
import { useSelect } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { useOffline } from "../connection/OfflineBanner.tsx";

/** Names are listed up to this many; more are counted. */
const NAMES_MAX = 3;

export function TypingLine({ channelId }: { readonly channelId: string }) {
  const { t } = useTranslation();
  const offline = useOffline();
  // Joined to one text, so that the selection keeps its identity.
  const joined = useSelect((state) => {
    const guildId = state.channels.get(channelId)?.guild_id ?? null;
    return [...(state.typing.get(channelId)?.keys() ?? [])].map((id) => nameOf(state, id, guildId) ?? "").join("\n");
  });
  const names = joined === "" ? [] : joined.split("\n");
  return (
    <div className="typing" role="status" data-nx-part="typing">
      {names.length > 0 ? (
        <>
          <span className="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {names.length > NAMES_MAX ? <span>{t("typing.many", { count: names.length })}</span> : <Names names={names} />}
        </>
      ) : offline ? (
        <span>{t("composer.later")}</span>
      ) : null}
    </div>
  );
}

function Names({ names }: { readonly names: readonly string[] }) {
  const { t } = useTranslation();
  return (
    <span>
      {names.map((name, index) => (
        <span key={name}>
          {index === 0 ? null : index === names.length - 1 ? ` ${t("typing.and")} ` : ", "}
          <b>{name}</b>
        </span>
      ))}{" "}
      {names.length === 1 ? t("typing.one") : t("typing.are")}
    </span>
  );
}
