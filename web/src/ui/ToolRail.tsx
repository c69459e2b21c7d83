import { Link } from "@tanstack/react-router";
import { SunMoon } from "lucide-react";
import { useTranslation } from "../i18n/useTranslation.ts";
import { toggleTheme } from "../look/preferences.ts";
import { IconButton } from "./IconButton.tsx";
import { Logo } from "./Logo.tsx";
import { ToolLinks } from "./ToolLinks.tsx";

/** The rail of the pages about the server itself. Their words come with `toolWords.ts`. `alone`: the server has the event hub only. */
export function ToolRail({ alone = false }: { readonly alone?: boolean }) {
  const { t } = useTranslation();
  return (
    <nav className="rail" data-nx-part="tool-rail" aria-label={t("tools.rail")}>
      {alone ? (
        <span className="tile">
          <Logo />
        </span>
      ) : (
        <Link to="/" className="tile" data-kind="ghost" aria-label={t("tools.home")}>
          <Logo />
        </Link>
      )}
      <span className="flex-1" />
      <ToolLinks hub={t("tools.hub")} audit={alone ? null : t("tools.audit")} admin={alone ? null : t("tools.admin")} />
      <IconButton icon={SunMoon} large className="tile" data-kind="tool" tip="right" label={t("tools.theme")} onClick={toggleTheme} />
    </nav>
  );
}
