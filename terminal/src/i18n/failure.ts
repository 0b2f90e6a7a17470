import { StaysLocked } from '@/store/unlock'
import { NoAnswer, Problem } from '@/sync/http'
import { i18n, problemText } from '.'

/** Why something asked of the server was not done, in the officer's words. */
export function failureText(error: unknown): string {
  const { t } = i18n.global
  if (error instanceof NoAnswer) return t('common.noServer')
  if (error instanceof StaysLocked) return t(`lock.${error.why}`, { n: error.left })
  if (!(error instanceof Problem)) return t('common.failed', { why: error instanceof Error ? error.message : String(error) })
  const said = problemText({ code: error.code, zh: error.zh, en: error.en })
  if (!error.retryAfter) return said
  return `${said} · ${t('common.waitMinutes', { n: Math.max(1, Math.ceil(error.retryAfter / 60)) })}`
}
