import { lacksHistory, mayReadHistory } from "@nexus/sdk/store/selectors";
import { useCallback, useEffect, useState } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";

/** Loads a channel when it is shown, closes gaps when the gateway is back, and pages both ways. */
export function useHistory(channelId: string) {
  const { history } = useClient();
  const known = useSelect((state) => state.channels.has(channelId));
  const live = useSelect((state) => state.connection.status === "live");
  const lacking = useSelect((state) => lacksHistory(state, channelId));
  const mayRead = useSelect((state) => mayReadHistory(state, channelId));
  const [failed, setFailed] = useState(false);
  const [loadingOlder, setLoadingOlder] = useState(false);
  const [attempt, setAttempt] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: Each attempt, each reconnect and each change of permissions tries anew.
  useEffect(() => {
    if (!known || !lacking) return;
    setFailed(false);
    history.open(channelId).catch(() => setFailed(true));
  }, [history, channelId, known, lacking, mayRead, live, attempt]);

  const older = useCallback(() => {
    setLoadingOlder(true);
    history
      .older(channelId)
      .catch(() => setFailed(true))
      .finally(() => setLoadingOlder(false));
  }, [history, channelId]);

  const newer = useCallback(() => {
    history.newer(channelId).catch(() => setFailed(true));
  }, [history, channelId]);

  const present = useCallback(() => history.present(channelId).catch(() => setFailed(true)), [history, channelId]);
  const retry = useCallback(() => setAttempt((count) => count + 1), []);

  return { failed, loadingOlder, older, newer, present, retry };
}
