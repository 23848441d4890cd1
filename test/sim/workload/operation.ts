import type { BalsaClient } from '../../../src/client/client.ts'
import type { Entry } from '../../../src/client/entry.ts'
import { BalsaError } from '../../../src/errors.ts'

export type Condition =
  { readonly value: string } | { readonly modRevision: number } | { readonly absent: true }

/** What a client asks for. Values are unique within a run. */
export type Asked =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'putMany'; readonly puts: readonly [string, string][] }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'cas'; readonly key: string; readonly expected: Condition; readonly value: string }
  | { readonly type: 'compact'; readonly revision: number }
  | {
      readonly type: 'get'
      readonly keys: readonly string[]
      readonly stale: boolean
      /** As the keys were then; absent: as they are. */
      readonly revision?: number
    }

/** What it was told. */
export interface Answer {
  /** The store's, after a write or at a read. */
  readonly revision: number
  readonly succeeded?: boolean
  /** Of a read, in the order of its keys; undefined: there was no such key. */
  readonly entries?: readonly (Seen | undefined)[]
  /** Of a comparison that did not hold: what was there. */
  readonly current?: Seen | undefined
}

/** A key as it was seen. */
export interface Seen {
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

/** `failed`: it certainly did not happen. `unknown`: it may have. */
export type Outcome =
  | { readonly type: 'ok'; readonly answer: Answer }
  | { readonly type: 'failed' | 'unknown'; readonly code: string; readonly message: string }

/** Asks a client, and says how that ended. */
export async function ask(client: BalsaClient, asked: Asked): Promise<Outcome> {
  try {
    return { type: 'ok', answer: await answerOf(client, asked) }
  } catch (error) {
    if (!(error instanceof BalsaError)) throw error
    const { outcomeUnknown, code, message } = error
    return { type: outcomeUnknown ? 'unknown' : 'failed', code, message }
  }
}

async function answerOf(client: BalsaClient, asked: Asked): Promise<Answer> {
  switch (asked.type) {
    case 'put':
      return client.put(asked.key, asked.value)
    case 'putMany':
      return client.putMany(asked.puts)
    case 'delete': {
      const { revision, deleted } = await client.delete(asked.key)
      return { revision, succeeded: deleted }
    }
    case 'cas': {
      const { revision, succeeded, current } = await client.cas(asked.key, asked.expected, asked.value)
      return { revision, succeeded, current: seen(current) }
    }
    case 'compact':
      return client.compact(asked.revision)
    case 'get': {
      const consistency = asked.stale ? 'stale' : 'linearizable'
      const past = asked.revision
      const { revision, entries } = await client.read(asked.keys, { consistency, revision: past })
      return { revision, entries: entries.map(seen) }
    }
  }
}

function seen(entry: Entry | undefined): Seen | undefined {
  if (entry === undefined) return undefined
  const { createRevision, modRevision, version } = entry
  return { value: entry.text(), createRevision, modRevision, version }
}
