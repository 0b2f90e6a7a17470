import { i18n } from '@/i18n'
import type { Bilingual } from '@/domain/kinds'

/** In the officer's language; '' where the server has not told a word. */
export function inWords(text: Bilingual | undefined): string {
  return text ? text[i18n.global.locale.value === 'zh' ? 'zh' : 'en'] : ''
}
