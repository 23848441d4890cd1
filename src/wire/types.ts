/** A key's present. */
export interface KeyRecord {
  readonly value: Uint8Array
  /** The revision of the put that created the key. */
  readonly createRevision: number
  /** The revision of its last change. */
  readonly modRevision: number
  /** 1 at its creation, then one more with each change. */
  readonly version: number
  /** 0: none. */
  readonly lease: number
}

/** A key with its record. */
export interface KeyEntry extends KeyRecord {
  readonly key: Uint8Array
}

/** What a compare-and-swap expects. */
export type Expectation =
  | { readonly type: 'value'; readonly value: Uint8Array }
  | { readonly type: 'modRevision'; readonly modRevision: number }
  | { readonly type: 'absent' }

export type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array }
  | {
      readonly type: 'cas'
      readonly key: Uint8Array
      readonly expected: Expectation
      readonly newValue: Uint8Array
    }
  | { readonly type: 'putMany'; readonly puts: readonly { key: Uint8Array; value: Uint8Array }[] }
  /** History before this revision is given up. */
  | { readonly type: 'compact'; readonly revision: number }

/** A write as it stands in the log. */
export interface Command {
  /** 0: no session, and so no protection against being applied twice. */
  readonly session: number
  /** From 1, one more with each write of the session. */
  readonly sequence: number
  /** The lowest sequence whose answer the client still waits for. */
  readonly firstUnacked: number
  readonly operation: Operation
}

export type SessionChange =
  { readonly type: 'open'; readonly ttlMs: number } | { readonly type: 'close'; readonly session: number }

/** The answer to a command or a session change: the result of its apply. */
export interface CommandResult {
  /** The store's revision after it. */
  readonly revision: number
  /** put: always; delete: a key was deleted; cas: the condition held; compact: the revision is not in the future. */
  readonly succeeded: boolean
  /** Of a cas that did not succeed, where the key exists. */
  readonly current: KeyEntry | undefined
  /** Of a session that was opened. 0: none. */
  readonly session: number
}
