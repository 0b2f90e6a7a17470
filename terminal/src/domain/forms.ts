import type { FormField } from './kinds'

/** What stands in a form while it is filled in; nothing is there that nobody has entered. */
export type Value = string | number | boolean | null | Value[] | { [name: string]: Value }
export type Values = { [name: string]: Value }

const blank = (value: Value | undefined) => value === undefined || value === null || (typeof value === 'string' && value.trim() === '')

function words(text: string, { min = 0, max = Infinity, choices, is }: FormField): boolean {
  if (choices) return choices.includes(text)
  if (is === 'moment') return !Number.isNaN(Date.parse(text))
  // The server counts characters, not UTF-16 units.
  const length = [...text.trim()].length
  return length >= min && length <= max
}

/** Whether a value may stand in its field. */
export function fits(field: FormField, value: Value | undefined): boolean {
  if (blank(value)) return field.nullable || !field.required || (field.type === 'list' && !field.min)
  switch (field.type) {
    case 'text': return typeof value === 'string' && words(value, field)
    case 'whole': return Number.isSafeInteger(value) && (value as number) >= (field.min ?? -Infinity) && (value as number) <= (field.max ?? Infinity)
    case 'yes_no': return typeof value === 'boolean'
    case 'group': return lacking(field.fields ?? [], value as Values).length === 0
    case 'list': return several(field, value as Value[])
    default: return false
  }
}

function several(field: FormField, values: Value[]): boolean {
  const count = values.length
  return count >= (field.min ?? 0) && count <= (field.max ?? Infinity) && values.every((each) => fits(field.of!, each))
}

/** The names of fields that are still to be filled in, or wrong, in the order of the form. */
export function lacking(fields: FormField[], values: Values): string[] {
  return fields.filter((field) => !fits(field, values[field.name])).map(({ name }) => name)
}

function spoken(field: FormField, value: Value): Value {
  if (typeof value === 'string') return field.is === 'moment' ? new Date(value).toISOString() : value.trim()
  if (Array.isArray(value)) return value.map((each) => spoken(field.of!, each))
  return field.type === 'group' ? said(field.fields ?? [], value as Values) : value
}

/** The fields of an operation. What was left open is null where the form knows a word for "none", and absent elsewhere. */
export function said(fields: FormField[], values: Values): Values {
  const entries = fields.flatMap((field): [string, Value][] => {
    const value = values[field.name]
    if (!blank(value)) return [[field.name, spoken(field, value!)]]
    if (!field.required) return []
    return [[field.name, field.type === 'list' ? [] : null]]
  })
  return Object.fromEntries(entries)
}

/** An edit says only what it changes; a null is a word where the record has a value. */
export function changed(fields: FormField[], values: Values, doc: Values): Values {
  const now = said(fields.map((field) => ({ ...field, required: false })), values)
  for (const { name, nullable } of fields) {
    if (nullable && name in values && blank(values[name]) && !blank(doc[name])) now[name] = null
  }
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(doc[name] ?? null)))
}
