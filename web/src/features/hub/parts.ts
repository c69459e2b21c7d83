/** The parts of the hub's page, in the order of its list. */
import { Activity, KeyRound, type LucideIcon, MailX, Radio, Shapes, Webhook, Zap } from "lucide-react";

export const PARTS = ["tail", "types", "reactors", "dead", "streams", "webhooks", "sources"] as const;
export type PartName = (typeof PARTS)[number];

export const ICONS: Readonly<Record<PartName, LucideIcon>> = {
  tail: Activity,
  types: Shapes,
  reactors: Zap,
  dead: MailX,
  streams: Radio,
  webhooks: Webhook,
  sources: KeyRound,
};

export const partOf = (name: string | undefined): PartName => PARTS.find((part) => part === name) ?? "tail";
