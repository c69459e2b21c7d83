import { GuildRail } from "../features/guilds/GuildRail.tsx";

export interface FrameProps {
  readonly level: "home" | "list" | "conversation";
  readonly people?: boolean;
  readonly children: React.ReactNode;
}

/** The window: rail, then what a page puts beside it. */
export function Frame({ level, people = false, children }: FrameProps) {
  return (
    <div className="frame" data-level={level} data-people={people ? "open" : "closed"}>
      <GuildRail />
      {children}
    </div>
  );
}
