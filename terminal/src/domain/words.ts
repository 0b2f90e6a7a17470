/** The words of a visit, in the order in which they stand on the screen. None of them is ever chosen beforehand. */
export const RESPONSES = ['spoke', 'moving', 'breathing', 'none'] as const
export const OBSERVATIONS = [
  'asleep', 'calm', 'talking', 'low_mood', 'agitated', 'dispute', 'unwell', 'damage', 'other',
] as const
export const RESULTS = ['completed', 'interrupted'] as const

export const MAX_HEADCOUNT = 200
export const MAX_NOTE = 500
export const MAX_UID = 32

export type Response = (typeof RESPONSES)[number]
export type Observation = (typeof OBSERVATIONS)[number]
export type Result = (typeof RESULTS)[number]

export interface TagRead {
  uid: string
  medium: 'nfc' | 'qr' | 'typed'
  counter: number | null
}

export interface CellAnswers {
  headcount: number
  response: Response
  observation: Observation
}

export interface RoundFields {
  area: string
  companions: string[]
}

export interface CloseFields {
  result: Result
  reason: string | null
  visits: number
}

export interface VisitFields {
  round: string
  place: string
  tag: TagRead | null
  cell: CellAnswers | null
  note: string | null
}

/** What a round's row holds: how it was opened, and once it is closed also how. */
export type RoundDoc = RoundFields & Partial<CloseFields>
