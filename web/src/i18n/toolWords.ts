/** What the pages about the server itself share: Audit, Admin and the event hub. */
export const toolWords = {
  tools: {
    rail: "Tools",
    home: "Home",
    audit: "Audit",
    admin: "Admin",
    hub: "Event hub",
    theme: "Switch between light and dark",
    sections: "Sections",
    onThisPage: "On this page",
    copy: "Copy",
    ago: "{{time}} ago",
    now: "just now",
  },
} as const;
