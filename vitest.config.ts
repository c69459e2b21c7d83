import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { conditions: ["nexus-source"] },
        test: { name: "sdk", root: "sdk/typescript", include: ["test/**/*.test.ts"], environment: "node" },
      },
      {
        resolve: { conditions: ["nexus-source"] },
        test: { name: "web", root: "web", include: ["test/**/*.test.{ts,tsx}"], environment: "jsdom" },
      },
    ],
  },
});
