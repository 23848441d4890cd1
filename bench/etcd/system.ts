import { randomBytes } from 'node:crypto'
import type { UnaryMethod } from './unary.ts'

/** One member of a cluster, as it runs now. */
export interface Member {
  readonly id: string
  /** Where clients reach it: host:port. */
  readonly address: string
  readonly pid: number
}

/** What is compared: three nodes on this machine, which the same requests are put to. */
export interface System extends AsyncDisposable {
  readonly name: string
  /** Key and value are fields 1 and 2 of a put, and the key field 1 of a get, in both systems. */
  readonly put: UnaryMethod
  readonly get: UnaryMethod
  readonly members: () => readonly Member[]
  /** The member that says of itself that it leads; waits for one. */
  readonly leader: () => Promise<Member>
  /** The store's revision, by a linearizable read of one key. It grows by one with every put. */
  readonly revision: () => Promise<number>
  /** Puts many keys at once. */
  readonly putMany: (pairs: readonly Pair[]) => Promise<void>
  /** kill -9. Resolves when the process has ended. */
  readonly kill: (member: Member) => Promise<void>
  /** Starts a member that was killed, on its data. */
  readonly restart: (member: Member) => Promise<void>
}

/** A key and its value. */
export interface Pair {
  readonly key: Buffer
  readonly value: Buffer
}

/** How many puts go in one request, which is as many as etcd's default allows. */
const BATCH = 128

/** The name of one of the keys. */
export function keyName(number: number): Buffer {
  return Buffer.from(`key-${number}`)
}

/** Every key exists, with random bytes of its own, before anything is measured. */
export async function fill(system: System, keys: number, valueBytes: number): Promise<void> {
  let next = 0
  const filler = async (): Promise<void> => {
    while (next < keys) {
      const from = next
      next = Math.min(next + BATCH, keys)
      const pairs = Array.from({ length: next - from }, (_, i) => ({
        key: keyName(from + i),
        value: randomBytes(valueBytes),
      }))
      await system.putMany(pairs)
    }
  }
  await Promise.all(Array.from({ length: 8 }, filler))
}

/**
 * Asks again until there is an answer, however the attempts fail.
 * @throws the last attempt's error after `limitMs`
 */
export async function eventually<T>(attempt: () => Promise<T | undefined>, limitMs = 60_000): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    let problem: unknown = new Error('there was no answer in time')
    try {
      const answer = await attempt()
      if (answer !== undefined) return answer
    } catch (error) {
      problem = error
    }
    if (performance.now() >= deadline) throw problem
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
