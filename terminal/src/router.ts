import { createRouter, createWebHashHistory, type RouteLocationRaw } from 'vue-router'
import { db } from '@/store/db'
import ClosePage from '@/pages/ClosePage.vue'
import DevicePage from '@/pages/DevicePage.vue'
import EnrolPage from '@/pages/EnrolPage.vue'
import FormPage from '@/pages/FormPage.vue'
import KindsPage from '@/pages/KindsPage.vue'
import OutboxPage from '@/pages/OutboxPage.vue'
import RecordPage from '@/pages/RecordPage.vue'
import RecordsPage from '@/pages/RecordsPage.vue'
import RoundPage from '@/pages/RoundPage.vue'
import RoundsPage from '@/pages/RoundsPage.vue'
import SecretPage from '@/pages/SecretPage.vue'
import SignInPage from '@/pages/SignInPage.vue'
import StopPage from '@/pages/StopPage.vue'
import WaitingPage from '@/pages/WaitingPage.vue'

/** What a page needs before it may be seen. The outbox and its truth are open to whoever holds the device. */
type Need = 'nothing' | 'terminal' | 'session'

declare module 'vue-router' {
  interface RouteMeta {
    need: Need
    tab?: 'rounds' | 'record' | 'outbox' | 'device'
  }
}

// All pages in one piece: a handheld that loses its signal after the first page must not miss the second.
// Hash history: the server needs no rule for deep links, and a reload without network finds the one page it has.
export const router = createRouter({
  history: createWebHashHistory('/app/'),
  routes: [
    { path: '/', component: RoundsPage, meta: { need: 'session', tab: 'rounds' } },
    { path: '/enrol', component: EnrolPage, meta: { need: 'nothing' } },
    { path: '/waiting', component: WaitingPage, meta: { need: 'nothing' } },
    { path: '/secret', component: SecretPage, meta: { need: 'session' } },
    { path: '/sign-in', component: SignInPage, meta: { need: 'terminal' } },
    { path: '/rounds/:round', component: RoundPage, props: true, meta: { need: 'session' } },
    { path: '/rounds/:round/stops/:place', component: StopPage, props: true, meta: { need: 'session' } },
    { path: '/rounds/:round/close', component: ClosePage, props: true, meta: { need: 'session' } },
    { path: '/record', component: KindsPage, meta: { need: 'session', tab: 'record' } },
    { path: '/forms/:kind/:verb/:record?', component: FormPage, props: true, meta: { need: 'session' } },
    { path: '/records/:kind', component: RecordsPage, props: true, meta: { need: 'session' } },
    { path: '/records/:kind/:record', component: RecordPage, props: true, meta: { need: 'session' } },
    { path: '/outbox', component: OutboxPage, meta: { need: 'terminal', tab: 'outbox' } },
    { path: '/device', component: DevicePage, meta: { need: 'terminal', tab: 'device' } },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})

router.beforeEach(async (to): Promise<RouteLocationRaw | true> => {
  const who = await db.read('identity')
  if (!who) return to.path === '/enrol' ? true : { path: '/enrol', query: to.query }
  if (!who.approved) return to.path === '/waiting' ? true : '/waiting'
  if (to.path === '/enrol' || to.path === '/waiting') return '/'
  if (to.meta.need !== 'session') return true
  const session = await db.read('session')
  if (!session) return '/sign-in'
  return session.mustChange && to.path !== '/secret' ? '/secret' : true
})
