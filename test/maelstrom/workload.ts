import { HistoryRecorder } from '../../src/check/index.ts'
import { MaelstromError } from '../../src/maelstrom/protocol.ts'
import type { Body } from '../../src/maelstrom/protocol.ts'
import type { Dice } from '../sim/engine/dice.ts'
import { DEFINITE } from './client.ts'
import type { Client, Reply } from './client.ts'

/** After so many operations a key is left alone: a checker's work grows faster than a key's history. */
const OPERATIONS_PER_KEY = 100

/** Clients to a key: so many that they get in each other's way. */
const CLIENTS_PER_KEY = 10

/** How often a cas expects the value that was seen last. */
const WELL_INFORMED = 0.7

export interface WorkloadOptions {
  readonly dice: Dice
  /** Requests a second, of all clients together. */
  readonly rate: number
}

/** What became of the operations. */
export interface Tally {
  /** Done, with or without what was wished for: a cas that met another value and a missing key are answers. */
  answered: number
  /** Of those: cas that met another value, or no key. */
  mismatches: number
  /** By their error's code, or `none` where no reply came in time. */
  readonly errors: Map<string, number>
  readonly latencies: number[]
}

type Operation =
  | { readonly op: 'read'; readonly key: string }
  | { readonly op: 'write'; readonly key: string; readonly value: number }
  | { readonly op: 'cas'; readonly key: string; readonly expected: number; readonly value: number }

/** A key that is worked on, and the values that its clients have seen or written. */
interface Key {
  readonly name: string
  readonly seen: number[]
  operations: number
}

/** Clients that read, write, compare and swap registers, at a rate, one request each at a time; and what they saw. */
export class Workload {
  readonly #options: WorkloadOptions
  readonly #clients: readonly Client[]
  readonly #free: Client[]
  readonly #recorder = new HistoryRecorder({ now: () => performance.now() })
  readonly #underWay = new Set<Promise<void>>()
  readonly #keys: Key[]
  #keyCount = 0
  #lastValue = 0
  #freed: (() => void) | undefined
  readonly tally: Tally = { answered: 0, mismatches: 0, errors: new Map(), latencies: [] }

  constructor(clients: readonly Client[], options: WorkloadOptions) {
    this.#clients = clients
    this.#free = [...clients]
    this.#options = options
    this.#keys = Array.from({ length: Math.max(1, Math.round(clients.length / CLIENTS_PER_KEY)) }, () =>
      this.#newKey(),
    )
  }

  get recorder(): HistoryRecorder {
    return this.#recorder
  }

  /** Asks for so many milliseconds, and waits for the last answers. */
  async run(milliseconds: number): Promise<void> {
    const { dice, rate } = this.#options
    const end = performance.now() + milliseconds
    for (let next = performance.now(); next < end;) {
      const pause = next - performance.now()
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
      if (this.#free.length === 0) await new Promise<void>((resolve) => (this.#freed = resolve))
      const [client] = this.#free.splice(dice.below(this.#free.length), 1)
      this.#begin(client!, this.#draw())
      // Nobody makes up for what could not be asked in time.
      next = Math.max(next, performance.now() - 100) + dice.between(0, 2000 / rate)
    }
    await Promise.all(this.#underWay)
  }

  /** Every client reads the keys that were worked on last: what was acknowledged has to be there. */
  async readAll(): Promise<void> {
    for (const { name } of this.#keys) {
      await Promise.all(this.#clients.map((client) => this.#one(client, { op: 'read', key: name })))
    }
  }

  #begin(client: Client, operation: Operation): void {
    const began = performance.now()
    const work = this.#one(client, operation).then((reply) => {
      this.#count(reply, performance.now() - began)
      this.#underWay.delete(work)
      this.#free.push(client)
      this.#freed?.()
      this.#freed = undefined
    })
    this.#underWay.add(work)
  }

  #draw(): Operation {
    const { dice } = this.#options
    const place = dice.below(this.#keys.length)
    if (this.#keys[place]!.operations >= OPERATIONS_PER_KEY) this.#keys[place] = this.#newKey()
    const key = this.#keys[place]!
    key.operations++
    const what = dice.below(3)
    if (what === 0) return { op: 'read', key: key.name }
    const value = ++this.#lastValue
    if (what === 1 || key.seen.length === 0) return { op: 'write', key: key.name, value }
    const expected = dice.chance(WELL_INFORMED) ? key.seen.at(-1)! : dice.pick(key.seen)
    return { op: 'cas', key: key.name, expected, value }
  }

  #newKey(): Key {
    return { name: `k${this.#keyCount++}`, seen: [], operations: 0 }
  }

  async #one(client: Client, operation: Operation): Promise<Reply> {
    const process = client.id
    this.#recorder.invoke(process, operation)
    const reply = await client.ask(bodyOf(operation))
    const type = reply?.type
    if (type === 'read_ok') {
      this.#recorder.ok(process, { value: reply!.value as number })
      this.#saw(operation.key, reply!.value as number)
    } else if (type === 'write_ok' || type === 'cas_ok') {
      this.#recorder.ok(process, { succeeded: true })
      if (operation.op !== 'read') this.#saw(operation.key, operation.value)
    } else if (isAnswer(reply)) {
      this.#recorder.ok(process, operation.op === 'read' ? { value: null } : { succeeded: false })
    } else if (type === 'error' && DEFINITE.has(reply!.code)) {
      this.#recorder.fail(process, JSON.stringify(reply!.text))
    } else {
      this.#recorder.info(process, reply === undefined ? 'no reply' : JSON.stringify(reply.text))
    }
    return reply
  }

  #saw(name: string, value: number): void {
    this.#keys.find((key) => key.name === name)?.seen.push(value)
  }

  #count(reply: Reply, milliseconds: number): void {
    const { tally } = this
    if (reply !== undefined && (reply.type !== 'error' || isAnswer(reply))) {
      tally.answered++
      if (reply.type === 'error') tally.mismatches++
      tally.latencies.push(milliseconds)
    } else {
      const code = reply === undefined ? 'none' : JSON.stringify(reply.code)
      tally.errors.set(code, (tally.errors.get(code) ?? 0) + 1)
    }
  }
}

function isAnswer(reply: Reply): boolean {
  if (reply?.type !== 'error') return false
  return reply.code === MaelstromError.KeyDoesNotExist || reply.code === MaelstromError.PreconditionFailed
}

function bodyOf(operation: Operation): Body {
  const { op: type, key } = operation
  if (operation.op === 'read') return { type, key }
  if (operation.op === 'write') return { type, key, value: operation.value }
  return { type, key, from: operation.expected, to: operation.value }
}
