import { CloudOff } from "lucide-react";
import { useEffect, useState } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";

/** A reconnect shorter than this is nobody's business. */
const QUIET_MS = 1_200;

/** Whether the gateway has been away for longer than a blink. */
export function useOffline(): boolean {
  const away = useSelect((state) => {
    const { connection } = state;
    return connection.status === "waiting" || (connection.status === "connecting" && connection.since === "loss");
  });
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (!away) {
      setLong(false);
      return;
    }
    const timer = setTimeout(() => setLong(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, [away]);
  return away && long;
}

/** One line under the header while the gateway is away. Nothing greys out. */
export function OfflineBanner() {
  const { t } = useTranslation();
  const client = useClient();
  const offline = useOffline();
  const queued = useSelect((state) => state.echoes.filter((echo) => echo.status === "waiting").length);
  return (
    <div role="status">
      {offline ? (
        <div className="banner" data-nx-part="banner">
          <Icon of={CloudOff} />
          <span>{queued > 0 ? t("connection.offlineQueue", { count: queued }) : t("connection.offline")}</span>
          <button type="button" className="link-button" onClick={() => client.gateway.hurry()}>
            {t("connection.tryNow")}
          </button>
        </div>
      ) : null}
    </div>
  );
}
