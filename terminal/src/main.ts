import { createApp } from 'vue'
import 'vant/es/button/style/index'
import 'vant/es/cell/style/index'
import 'vant/es/cell-group/style/index'
import 'vant/es/dialog/style/index'
import 'vant/es/field/style/index'
import 'vant/es/popup/style/index'
import 'vant/es/tabbar/style/index'
import 'vant/es/tabbar-item/style/index'
import 'vant/es/toast/style/index'
import '@/styles/base.css'
import '@/styles/vant.css'
import App from '@/App.vue'
import { i18n } from '@/i18n'
import { router } from '@/router'
import { watchIdle } from '@/store/idle'
import { shareLock } from '@/store/lock'
import { startEngine } from '@/sync/engine'

// Best effort by itself; a browser that refuses is told to the officer on the device page.
void navigator.storage?.persist?.()

async function start(): Promise<void> {
  // Without a secure connection there are no keys and no locks; the enrolment page says so.
  if (window.isSecureContext) {
    await shareLock()
    watchIdle()
    startEngine()
  }
  createApp(App).use(i18n).use(router).mount('#app')
}

void start()
