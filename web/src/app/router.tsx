/** Every path of the page. Pages before the login are small and separate; the rest loads with the shell. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { CrashPage } from "../ui/Notice.tsx";
import { isLoggedIn } from "./access.ts";
import { isOwnPath } from "./lastPlace.ts";
import { NotFoundPage } from "./NotFoundPage.tsx";

interface EntrySearch {
  /** Where to go after logging in. */
  readonly next?: string;
}

function entrySearch(search: Record<string, unknown>): EntrySearch {
  const next = typeof search.next === "string" ? search.next : undefined;
  return isOwnPath(next) ? { next } : {};
}

const root = createRootRoute({ notFoundComponent: NotFoundPage });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: entrySearch,
  component: lazyRouteComponent(() => import("../features/logins/LoginPage.tsx"), "LoginPage"),
});

const register = createRoute({
  getParentRoute: () => root,
  path: "/register",
  validateSearch: entrySearch,
  component: lazyRouteComponent(() => import("../features/logins/RegisterPage.tsx"), "RegisterPage"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  component: lazyRouteComponent(() => import("../features/logins/SetupPage.tsx"), "SetupPage"),
});

const invite = createRoute({
  getParentRoute: () => root,
  path: "/invite/$code",
  component: lazyRouteComponent(() => import("../features/invites/InvitePage.tsx"), "InvitePage"),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  component: lazyRouteComponent(() => import("../features/transparency/AuditPage.tsx"), "AuditPage"),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  component: lazyRouteComponent(() => import("../features/transparency/AdminPage.tsx"), "AdminPage"),
});

/** Which part of the event hub is shown, and what is chosen in it. */
interface HubSearch {
  readonly part?: string | undefined;
  readonly find?: string | undefined;
  readonly event?: string | undefined;
  readonly webhook?: string | undefined;
}

const hub = createRoute({
  getParentRoute: () => root,
  path: "/hub",
  validateSearch: (search: Record<string, unknown>): HubSearch =>
    Object.fromEntries(Object.entries(search).filter(([, value]) => typeof value === "string")),
  component: lazyRouteComponent(() => import("../features/hub/HubPage.tsx"), "HubPage"),
});

/** Everything for people who are logged in. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ location }) => {
    if (await isLoggedIn()) return;
    throw redirect({ to: "/login", search: location.href === "/" ? {} : { next: location.href }, replace: true });
  },
  component: lazyRouteComponent(() => import("./Shell.tsx"), "Shell"),
});

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  component: lazyRouteComponent(() => import("../features/home/HomePage.tsx"), "HomePage"),
});

const guild = createRoute({
  getParentRoute: () => shell,
  path: "/channels/$guildId",
  component: lazyRouteComponent(() => import("../features/guilds/GuildPage.tsx"), "GuildPage"),
});

const channel = createRoute({
  getParentRoute: () => shell,
  path: "/channels/$guildId/$channelId",
  component: lazyRouteComponent(() => import("../features/channels/ChannelPage.tsx"), "ChannelPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([login, register, setup, invite, audit, admin, hub, shell.addChildren([home, guild, channel])]),
  defaultErrorComponent: CrashPage,
  defaultPreload: "intent",
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
