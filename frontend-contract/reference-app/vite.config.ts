import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Where `npm run dev` finds the API: the address that `make run` prints. */
const api = 'http://127.0.0.1:8000';
/** The API accepts cookies from its own origin only, so the proxy speaks in its name. */
const proxied = { target: api, changeOrigin: true, headers: { origin: api } };

export default defineConfig({
  resolve: {
    alias: {
      '@sicerdas/client': here('../client/src/index.ts'),
      // The client's sources stand outside this folder and carry no modules of their own.
      centrifuge: here('./node_modules/centrifuge/build/index.mjs'),
    },
  },
  server: {
    proxy: { '/api': proxied, '/media': proxied, '/emulation': proxied, '/connection': { ...proxied, ws: true } },
  },
  build: {
    // Inlined files would be data: addresses, which the content security policy need not allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Knows light-dark() and nesting, so the stylesheet goes out as it was written.
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'],
  },
});
