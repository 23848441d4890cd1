/** An entry as a get or a failed cas shows it. What is left out is not checked. */
export interface KvEntry {
  readonly value: string
  readonly modRevision?: number
  readonly createRevision?: number
  readonly version?: number
}

/** What a cas expects of the key: this value, that it was last changed at this revision, or that it is absent. */
export type KvExpectation =
  { readonly value: string } | { readonly modRevision: number } | { readonly absent: true }

export type KvInput =
  | { readonly op: 'get' }
  | { readonly op: 'put'; readonly value: string }
  | { readonly op: 'delete' }
  | { readonly op: 'cas'; readonly expected: KvExpectation; readonly value: string }

/** An answer. What is left out is not checked, but for the entry of a get and whether a cas or delete succeeded. */
export interface KvOutput {
  /** The store's revision: that of a write, or the one that a read shows. */
  readonly revision?: number
  /** Of a get; null: there was no such key. */
  readonly entry?: KvEntry | null
  /** Of a delete; false: there was no such key. */
  readonly deleted?: boolean
  /** Of a cas; false: the condition did not hold. */
  readonly succeeded?: boolean
  /** Of a cas that did not succeed: what was there; null: there was no such key. */
  readonly current?: KvEntry | null
}

/** A revision that is known, or (`exact` false) only known to be between two others. */
export interface Revision {
  /** Where it is not exact: one that it is greater than. */
  readonly value: number
  readonly exact: boolean
  /** One that it is less than. */
  readonly below: number
}

/** What a key holds. */
export interface KvRecord {
  readonly value: string
  /** Undefined: not known. */
  readonly version: number | undefined
  /** Equal to `modified` while the version is 1. */
  readonly created: Revision
  readonly modified: Revision
}

/** What a key holds of which nothing is known. */
export const ANYTHING = 'anything'

/** A key and, as far as its own operations tell, the store's revision. */
export interface KvState {
  /** The store's revision is this or more. */
  readonly floor: number
  /** Undefined: there is no such key. */
  readonly record: KvRecord | typeof ANYTHING | undefined
}
