import type { Observation, Response, TagRead } from './words'

/** A visit that is being entered. It lies in the store from the first touch, so that a kill does not lose it. */
export interface Draft {
  key: string
  round: string
  place: string
  /** The id the visit will have: entered in two tabs, it still becomes one. */
  record: string
  /** When the stop was seen: the tag was read, or the officer said that there is none. Null before that. */
  observedAt: string | null
  tag: TagRead | null
  headcount: number | null
  response: Response | null
  observation: Observation | null
  note: string
}
