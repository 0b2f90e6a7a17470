import { rowsOfKind } from '@/store/rows'

export interface Place {
  id: string
  type: 'ward' | 'cell' | 'checkpoint'
  code: string
  name: string
  parent: string | null
  position: number
  tags: string[]
}

type PlaceDoc = Omit<Place, 'id'>

export async function allPlaces(): Promise<Place[]> {
  const rows = await rowsOfKind<PlaceDoc>('place')
  return rows.map(({ id, doc }) => ({ id, ...doc })).sort((a, b) => a.position - b.position || a.code.localeCompare(b.code))
}

export function wards(places: Place[]): Place[] {
  return places.filter((place) => place.type === 'ward')
}

/** Everything below a ward where an officer stops, in the order of walking. */
export function stopsOf(ward: string, places: Place[]): Place[] {
  const inside = new Set([ward])
  for (let grown = true; grown; ) {
    const more = places.filter(({ id, parent }) => parent !== null && inside.has(parent) && !inside.has(id))
    more.forEach(({ id }) => inside.add(id))
    grown = more.length > 0
  }
  return places.filter(({ id, type }) => type !== 'ward' && inside.has(id))
}

/** A stop's name inside its ward, without the ward's own in front of it. */
export function nameWithin(stop: Place, ward: Place | undefined): string {
  return ward && stop.name.startsWith(ward.name) ? stop.name.slice(ward.name.length).trim() || stop.name : stop.name
}

export function placeOfTag(uid: string, places: Place[]): Place | undefined {
  return places.find(({ tags }) => tags.includes(uid))
}

/** How many persons the register has in each cell; null where this officer's scope shows no persons at all. */
export async function registerCounts(): Promise<Map<string, number> | null> {
  const persons = await rowsOfKind<{ cell: string | null; state: string }>('person')
  if (persons.length === 0) return null
  const counts = new Map<string, number>()
  for (const { doc } of persons) {
    if (doc.state === 'held' && doc.cell) counts.set(doc.cell, (counts.get(doc.cell) ?? 0) + 1)
  }
  return counts
}
