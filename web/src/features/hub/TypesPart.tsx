import { Link } from "@tanstack/react-router";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Payload, Read, TypeName } from "./common.tsx";
import { TopBar, type TopProps } from "./HubFrame.tsx";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import type { TypeInfo } from "./shapes.ts";

/** Every type of event that is taken, and what its payload must look like. */
export function TypesPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const types = useResource(hub.types, null);
  return (
    <>
      <TopBar title={t("hub.parts.types")} />
      <div className="hub-body">
        <div className="hub-pane">
          <p className="hub-lead">{t("hub.types.lead")}</p>
          <Read of={types} label={t("hub.parts.types")} onRetry={() => void hub.types.refresh()} onAskAgain={onAskAgain}>
            {(all) =>
              byNamespace(all).map(([namespace, group]) => (
                <div key={namespace} className="hub-group">
                  <h2>{namespace}</h2>
                  <ul>
                    {group.map((type) => (
                      <Type key={type.event} type={type} />
                    ))}
                  </ul>
                </div>
              ))
            }
          </Read>
        </div>
      </div>
    </>
  );
}

function byNamespace(types: readonly TypeInfo[]): [string, TypeInfo[]][] {
  const groups = new Map<string, TypeInfo[]>();
  for (const type of types) groups.set(type.namespace, [...(groups.get(type.namespace) ?? []), type]);
  return [...groups];
}

function Type({ type }: { readonly type: TypeInfo }) {
  const { t } = useTranslation();
  return (
    <li className="hub-line">
      <div className="what">
        <TypeName of={type.event} /> {type.custom ? <span className="tag">{t("hub.types.custom")}</span> : null}
      </div>
      <Link
        to="/hub"
        search={{ part: "tail", find: type.event }}
        className="link-button"
        aria-label={t("hub.types.showOf", { event: type.event })}
      >
        {t("hub.types.show")}
      </Link>
      {type.schema ? (
        <details>
          <summary aria-label={t("hub.types.schemaOf", { event: type.event })}>{t("hub.types.schema")}</summary>
          <Payload of={type.schema} label={t("hub.types.schemaOf", { event: type.event })} />
        </details>
      ) : (
        <small>{type.platform ? t("hub.types.platform") : t("hub.types.anything")}</small>
      )}
    </li>
  );
}
