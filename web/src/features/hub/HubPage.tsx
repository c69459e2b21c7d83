import "../../i18n/addHubWords.ts";
import "./hub.css";
import { useNavigate } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { ToolRail } from "../../ui/ToolRail.tsx";
import { HubFrame } from "./HubFrame.tsx";
import { HubProvider } from "./session.tsx";
import { TokenForm } from "./TokenForm.tsx";
import { findOut, forgetToken, type Who } from "./who.ts";

type Answer = { readonly kind: "asking" } | { readonly kind: "failed"; readonly failure: unknown } | Who;

/** The event hub: for administrators, or for who holds an admin token where there are no accounts. */
export function HubPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [who, setWho] = useState<Answer>({ kind: "asking" });

  const ask = useCallback(() => {
    setWho({ kind: "asking" });
    findOut().then(setWho, (failure: unknown) => setWho({ kind: "failed", failure }));
  }, []);
  useEffect(ask, [ask]);

  const isSignedOut = who.kind === "signed_out";
  useEffect(() => {
    if (isSignedOut) void navigate({ to: "/login", search: { next: location.pathname + location.search }, replace: true });
  }, [isSignedOut, navigate]);

  const leave = () => {
    forgetToken();
    setWho({ kind: "stranger", refused: false });
  };

  switch (who.kind) {
    case "asking":
    case "signed_out":
      return <Alone>{null}</Alone>;
    case "administrator":
      return (
        <HubProvider server={who.server}>
          <HubFrame name={who.name} onLeave={null} onAskAgain={ask} />
        </HubProvider>
      );
    case "holder":
      return (
        <HubProvider server={who.server}>
          <HubFrame name={null} onLeave={leave} onAskAgain={ask} />
        </HubProvider>
      );
    case "stranger":
      return (
        <Alone withoutOthers>
          <TokenForm refused={who.refused} onWho={setWho} />
        </Alone>
      );
    case "member":
      return (
        <Alone>
          <Notice page title={t("hub.who.memberTitle")} lead={t("hub.who.memberLead")} />
        </Alone>
      );
    case "absent":
      return (
        <Alone>
          <Notice page title={t("hub.who.absentTitle")} lead={t("hub.who.absentLead")} />
        </Alone>
      );
    case "failed":
      return (
        <Alone>
          <Notice page title={t("hub.who.failedTitle")} lead={sentenceOf(who.failure)}>
            <Button onClick={ask}>{t("action.tryAgain")}</Button>
          </Notice>
        </Alone>
      );
  }
}

/** The window while there is nothing of the hub to show. */
function Alone({ withoutOthers = false, children }: { readonly withoutOthers?: boolean; readonly children: ReactNode }) {
  return (
    <Tooltip.Provider delayDuration={500} skipDelayDuration={200}>
      <div className="frame tool" data-level="home">
        <ToolRail alone={withoutOthers} />
        <main className="sheet hub" data-nx-part="hub">
          {children}
        </main>
      </div>
    </Tooltip.Provider>
  );
}
