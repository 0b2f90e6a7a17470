import { createI18n } from 'vue-i18n'
import { watch } from 'vue'
import type { BilingualProblem } from '@/sync/types'
import { en } from './en'
import { zh, type Messages } from './zh'

export type Language = 'zh' | 'en'

const KEPT = 'roundsman.language'

export const i18n = createI18n<[Messages], Language, false>({
  legacy: false,
  // Chinese first: the browser of a handheld bought abroad often says English.
  locale: localStorage.getItem(KEPT) === 'en' ? 'en' : 'zh',
  fallbackLocale: 'zh',
  messages: { zh, en },
})

watch(
  i18n.global.locale,
  (language) => {
    localStorage.setItem(KEPT, language)
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  },
  { immediate: true },
)

export function switchLanguage(): void {
  i18n.global.locale.value = i18n.global.locale.value === 'zh' ? 'en' : 'zh'
}

/** A problem's text in the officer's language, with the field it is about. */
export function problemText(problem: BilingualProblem): string {
  const said = i18n.global.locale.value === 'zh' ? problem.zh : problem.en
  return problem.field ? `${said} (${problem.field})` : said
}

/** Hours and minutes; with the date when it is not today. */
export function clockText(time: string | number): string {
  const at = new Date(time)
  const today = at.toDateString() === new Date().toDateString()
  const day: Intl.DateTimeFormatOptions = today ? {} : { month: '2-digit', day: '2-digit' }
  const options: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...day }
  return at.toLocaleString(i18n.global.locale.value === 'zh' ? 'zh-CN' : 'en-GB', options)
}
