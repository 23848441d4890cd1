/** Anything that JSON can say. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined }

/** A value that cannot be kept as it is. The message says why. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
}

/** Deeper values are refused: they would exhaust the stack. */
const MAX_DEPTH = 200

const MAX_INTEGER = Number.MAX_SAFE_INTEGER

/**
 * A value as JSON text that equal values share and others do not: the names of an object in order, no spaces. Numbers
 * are those of JavaScript (1.0 is 1).
 *
 * Throws JsonError for a whole number beyond 2^53, of which the neighbours cannot be told apart, and for a value that
 * is too deep.
 */
export function canonicalJson(value: Json, depth = 0): string {
  if (depth > MAX_DEPTH) throw new JsonError(`it is more than ${MAX_DEPTH} levels deep`)
  if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) > MAX_INTEGER) {
      throw new JsonError(`whole numbers beyond ${MAX_INTEGER} cannot be told from their neighbours`)
    }
    return JSON.stringify(value)
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join()}]`
  const fields = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null, depth + 1)}`)
  return `{${fields.join()}}`
}

/** What is parsed is a list, an object or neither. */
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
