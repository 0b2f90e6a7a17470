import { db } from '@/store/db'
import { useLive } from '@/store/live'

/** The kinds as the server tells them (`GET /v1/kinds`): forms that this app was not built with. */
export interface Bilingual {
  zh: string
  en: string
}

export interface FormField {
  name: string
  type: 'text' | 'whole' | 'yes_no' | 'group' | 'list' | 'map'
  required: boolean
  nullable: boolean
  /** Of what form a text is. */
  is?: 'reference' | 'moment' | 'day' | 'time'
  choices?: string[]
  min?: number
  max?: number
  fields?: FormField[]
  of?: FormField
}

export interface KindVerb {
  text: Bilingual
  creates: boolean
  signoff: boolean
  confirm: boolean
  edits: boolean
  removes: boolean
  watches: string[]
  /** The server alone does it. */
  served?: boolean
  fields: FormField[]
}

export interface Kind {
  name: string
  schema: number
  writers: string[]
  text: Bilingual
  verbs: Record<string, KindVerb>
  /** Path of a field, or of one word of its dictionary, to its name. */
  labels: Record<string, Bilingual>
  marks: Record<string, Bilingual>
}

export interface Kinds {
  kinds: Kind[]
  marks: Record<string, Bilingual>
}

/** Kinds with a screen of their own, and those that only sync writes. */
const ELSEWHERE = new Set(['patrol.round', 'patrol.visit', 'conflict', 'escrow'])

export async function storedKinds(): Promise<Kinds> {
  return (await db.read('kinds'))?.told ?? { kinds: [], marks: {} }
}

export function useKinds() {
  return useLive(storedKinds)
}

export function writes(kind: Kind, posts: string[]): boolean {
  return !ELSEWHERE.has(kind.name) && kind.writers.some((post) => posts.includes(post))
}

export interface Task {
  kind: Kind
  verb: string
}

/** What an officer of these posts may begin. */
export function beginnings(kinds: Kind[], posts: string[]): Task[] {
  return kinds
    .filter((kind) => writes(kind, posts))
    .flatMap((kind) => Object.keys(kind.verbs).filter((verb) => kind.verbs[verb]!.creates).map((verb) => ({ kind, verb })))
}

/** What he may do next to a record of a kind. */
export function steps(kind: Kind, posts: string[]): string[] {
  if (!writes(kind, posts)) return []
  return Object.keys(kind.verbs).filter((verb) => !kind.verbs[verb]!.creates && !kind.verbs[verb]!.served)
}
