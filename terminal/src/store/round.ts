import { computed, type ComputedRef } from 'vue'
import type { Draft } from '@/domain/draft'
import { draftsOf } from '@/domain/drafts'
import { allPlaces, stopsOf, type Place } from '@/domain/places'
import { findRound, visitsOf, type Round, type Visit } from '@/domain/rounds'
import { useLive } from './live'
import { useMe } from './me'

export interface RoundOnScreen {
  ready: ComputedRef<boolean>
  /** Still being walked, and here. */
  walking: ComputedRef<boolean>
  round: ComputedRef<Round | null>
  ward: ComputedRef<Place | undefined>
  places: ComputedRef<Place[]>
  stops: ComputedRef<Place[]>
  visits: ComputedRef<Visit[]>
  drafts: ComputedRef<Draft[]>
}

/** One round with its stops and visits, true to rows, queue and drafts while they change. */
export function useRound(id: () => string): RoundOnScreen {
  const { officer } = useMe()
  const places = useLive(allPlaces)
  const round = useLive(() => findRound(id(), officer.value), id, officer)
  const visits = useLive(() => visitsOf(id(), officer.value), id, officer)
  const drafts = useLive(() => draftsOf(id()), id, officer)
  const area = computed(() => round.value?.area ?? '')
  return {
    ready: computed(() => Boolean(officer.value && places.value && visits.value && drafts.value) && round.value !== undefined),
    walking: computed(() => Boolean(round.value?.here && !round.value.closed && round.value.officer === officer.value)),
    round: computed(() => round.value ?? null),
    ward: computed(() => places.value?.find((place) => place.id === area.value)),
    places: computed(() => places.value ?? []),
    stops: computed(() => stopsOf(area.value, places.value ?? [])),
    visits: computed(() => visits.value ?? []),
    drafts: computed(() => drafts.value ?? []),
  }
}
