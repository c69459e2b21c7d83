import { lazy, Suspense } from "react";
import { QuickSwitcher } from "../features/switcher/QuickSwitcher.tsx";
import { closeDialog, type Dialog, useView } from "./view.ts";

const CreateGuildDialog = lazy(() =>
  import("../features/guilds/CreateGuildDialog.tsx").then((module) => ({ default: module.CreateGuildDialog })),
);
const JoinGuildDialog = lazy(() =>
  import("../features/guilds/JoinGuildDialog.tsx").then((module) => ({ default: module.JoinGuildDialog })),
);
const EditGuildDialog = lazy(() =>
  import("../features/guilds/EditGuildDialog.tsx").then((module) => ({ default: module.EditGuildDialog })),
);
const LeaveGuildDialog = lazy(() =>
  import("../features/guilds/EndGuildDialogs.tsx").then((module) => ({ default: module.LeaveGuildDialog })),
);
const DeleteGuildDialog = lazy(() =>
  import("../features/guilds/EndGuildDialogs.tsx").then((module) => ({ default: module.DeleteGuildDialog })),
);
const InviteDialog = lazy(() => import("../features/invites/InviteDialog.tsx").then((module) => ({ default: module.InviteDialog })));
const CreateChannelDialog = lazy(() =>
  import("../features/channels/ChannelDialogs.tsx").then((module) => ({ default: module.CreateChannelDialog })),
);
const EditChannelDialog = lazy(() =>
  import("../features/channels/ChannelDialogs.tsx").then((module) => ({ default: module.EditChannelDialog })),
);
const DeleteChannelDialog = lazy(() =>
  import("../features/channels/ChannelDialogs.tsx").then((module) => ({ default: module.DeleteChannelDialog })),
);
const RemoveMemberDialog = lazy(() =>
  import("../features/members/RemoveMemberDialog.tsx").then((module) => ({ default: module.RemoveMemberDialog })),
);
const SettingsDialog = lazy(() => import("../features/settings/SettingsDialog.tsx").then((module) => ({ default: module.SettingsDialog })));

/** The one dialog that is open, loaded when it is first asked for; but the switcher is there at once, for its letters are typed right after the key. */
export function Dialogs() {
  const { dialog } = useView();
  return <Suspense>{dialog ? <Opened dialog={dialog} /> : null}</Suspense>;
}

function Opened({ dialog }: { readonly dialog: Dialog }) {
  switch (dialog.kind) {
    case "create_guild":
      return <CreateGuildDialog onClose={closeDialog} />;
    case "join_guild":
      return <JoinGuildDialog onClose={closeDialog} />;
    case "edit_guild":
      return <EditGuildDialog guildId={dialog.guildId} onClose={closeDialog} />;
    case "leave_guild":
      return <LeaveGuildDialog guildId={dialog.guildId} onClose={closeDialog} />;
    case "delete_guild":
      return <DeleteGuildDialog guildId={dialog.guildId} onClose={closeDialog} />;
    case "invite":
      return <InviteDialog guildId={dialog.guildId} channelId={dialog.channelId} onClose={closeDialog} />;
    case "create_channel":
      return <CreateChannelDialog guildId={dialog.guildId} onClose={closeDialog} />;
    case "edit_channel":
      return <EditChannelDialog channelId={dialog.channelId} onClose={closeDialog} />;
    case "delete_channel":
      return <DeleteChannelDialog channelId={dialog.channelId} onClose={closeDialog} />;
    case "remove_member":
      return <RemoveMemberDialog guildId={dialog.guildId} userId={dialog.userId} onClose={closeDialog} />;
    case "settings":
      return <SettingsDialog onClose={closeDialog} />;
    case "switcher":
      return <QuickSwitcher onClose={closeDialog} />;
  }
}
