import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";
import { brotli } from "./build/brotli.ts";

const SERVER = "http://localhost:8080";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwindcss(), brotli()],
  resolve: { conditions: ["nexus-source", ...defaultClientConditions] },
  // The server replaces the placeholder in index.html by the nonce of each answer's Content-Security-Policy.
  html: { cspNonce: "__NEXUS_NONCE__" },
  worker: { format: "es" },
  build: {
    target: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    // The policy allows no data: URIs.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    manifest: true,
    rolldownOptions: {
      output: {
        // What every page needs, as one file: it packs better than many and changes rarely.
        codeSplitting: {
          groups: [
            {
              name: "base",
              test: /node_modules\/(react|react-dom|scheduler|@tanstack\/(react-router|router-core|history|store|react-store)|i18next|use-sync-external-store)\//,
            },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      "/api": { target: SERVER },
      "^/events(/|$|\\?)": { target: SERVER, ws: true },
      "/gateway": { target: SERVER.replace("http", "ws"), ws: true },
      "^/(did|sth|health|metrics|\\.well-known)(/|$|\\?)": { target: SERVER },
      "/setup": { target: SERVER, bypass: (request) => (request.method === "POST" ? undefined : "/index.html") },
    },
  },
});
