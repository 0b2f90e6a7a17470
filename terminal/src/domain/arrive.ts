import type { TagReading } from '@/device/tag'
import { newDraft, openDraft, saveDraft, withTag } from './drafts'
import type { Place } from './places'
import { recordVisit, type Round } from './rounds'

/**
 * A tag was read at a stop. At a checkpoint that is the whole visit, and it is recorded; at a cell it opens the questions.
 * Answers whether the visit is recorded already.
 */
export async function arrive(round: Round, stop: Place, reading: TagReading): Promise<boolean> {
  if (stop.type === 'checkpoint') {
    await recordVisit(round, withTag(newDraft(round.id, stop.id), reading), stop)
    return true
  }
  await saveDraft(withTag(await openDraft(round.id, stop.id), reading))
  return false
}
