import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vitest/config'
import { VitePWA } from 'vite-plugin-pwa'

// Vant's icon style names a font on another host. The app draws its own icons, so the whole font goes,
// and with it the only address outside the facility's network that a bundled style would hold.
const dropIconFont: Plugin = {
  name: 'drop-icon-font',
  enforce: 'pre',
  transform(code, id) {
    if (!/vant.*icon.*\.css/.test(id)) return null
    return { code: code.replace(/@font-face\{[^}]*\}/g, ''), map: null }
  },
}

const pwa = VitePWA({
  // "prompt": a new version must never reload the page under an officer who is entering a visit.
  registerType: 'prompt',
  injectRegister: null,
  scope: '/app/',
  includeManifestIcons: false,
  manifest: {
    id: '/app/',
    name: '巡安 Roundsman',
    short_name: '巡安',
    lang: 'zh-CN',
    start_url: '/app/',
    scope: '/app/',
    display: 'standalone',
    orientation: 'portrait',
    background_color: '#0c1210',
    theme_color: '#0c1210',
    icons: [
      { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
      { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  },
  workbox: {
    globPatterns: ['**/*.{js,css,html,svg,png}'],
    navigateFallback: '/app/index.html',
    navigateFallbackAllowlist: [/^\/app\//],
    cleanupOutdatedCaches: true,
    // The first load is controlled at once, so that a handheld enrolled and carried off works without a second visit.
    clientsClaim: true,
  },
})

export default defineConfig({
  base: '/app/',
  plugins: [dropIconFont, vue(), pwa],
  define: { __VUE_OPTIONS_API__: 'false', __INTLIFY_PROD_DEVTOOLS__: 'false', __VUE_I18N_LEGACY_API__: 'false' },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: { target: 'chrome87', cssTarget: 'chrome87', sourcemap: false },
  server: { proxy: { '/v1': 'http://127.0.0.1:8080' } },
  test: { environment: 'node', include: ['tests/**/*.test.ts'], setupFiles: ['tests/setup.ts'] },
})
