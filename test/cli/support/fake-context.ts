import { EventEmitter } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { Entry } from '../../../src/client/entry.ts'
import type { CliClient, CliContext } from '../../../src/cli/context.ts'
import { COMMANDS } from '../../../src/cli/program.ts'
import { run } from '../../../src/cli/run.ts'

/** Keeps what is written to it. */
export class Collector extends Writable {
  readonly #chunks: Buffer[] = []
  isTTY = false

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk)
    this.emit('text')
    done()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.bytes.toString('utf8')
  }

  /** Resolves once the text matches. */
  async waitFor(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) await new Promise((resolve) => this.once('text', resolve))
    return this.text
  }
}

export function entry(key: string | Uint8Array, value: string | Uint8Array, revision = 1): Entry {
  return new Entry({
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 0,
  })
}

type Methods = Omit<CliClient, 'close'>
export type FakeMethods = { readonly [K in keyof Methods]?: Methods[K] }

/** One call that a fake client was asked for, its bytes as text. */
export type RecordedCall = readonly [method: string, ...args: unknown[]]

export interface FakeWorld {
  readonly context: CliContext
  readonly stdout: Collector
  readonly stderr: Collector
  readonly signals: EventEmitter
  readonly calls: RecordedCall[]
  /** What the client was connected with, and how many clients are open. */
  readonly connections: { endpoints: readonly string[]; timeoutMs: number }[]
  open: number
  run(...args: string[]): Promise<number>
}

function asText(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (Array.isArray(value)) return value.map(asText)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asText(item)]))
  }
  return value
}

export interface FakeOptions {
  readonly methods?: FakeMethods
  readonly stdin?: string | Uint8Array | Readable
  readonly env?: Record<string, string | undefined>
  readonly self?: readonly [string, ...string[]]
  readonly heapBytes?: number
  readonly openBackup?: CliContext['openBackup']
  readonly startNode?: CliContext['startNode']
}

/** A world without a cluster: a client that answers as told, and streams that keep what is written. */
export function fakeWorld(options: FakeOptions = {}): FakeWorld {
  const { stdin = '', methods = {} } = options
  const calls: RecordedCall[] = []
  const answer = <K extends keyof Methods>(name: K): Methods[K] =>
    ((...args: unknown[]) => {
      calls.push([name, ...args.map(asText)])
      const method = methods[name] as ((...args: unknown[]) => Promise<unknown>) | undefined
      return method ? method(...args) : Promise.reject(new Error(`the test did not expect ${name}`))
    }) as unknown as Methods[K]
  const signals = new EventEmitter()
  const world: FakeWorld = {
    stdout: new Collector(),
    stderr: new Collector(),
    signals,
    calls,
    connections: [],
    open: 0,
    run: (...args) => run(args, world.context, COMMANDS),
    get context() {
      return context
    },
  }
  const context: CliContext = {
    stdin: stdin instanceof Readable ? stdin : Readable.from([Buffer.from(stdin)]),
    stdout: world.stdout,
    stderr: world.stderr,
    env: options.env ?? {},
    version: '1.2.3',
    signals,
    heapBytes: options.heapBytes ?? 4 * 1024 ** 3,
    self: options.self ?? [process.execPath],
    connect(given) {
      world.connections.push(given)
      world.open++
      return Promise.resolve({
        read: answer('read'),
        putMany: answer('putMany'),
        delete: answer('delete'),
        cas: answer('cas'),
        compact: answer('compact'),
        status: answer('status'),
        close() {
          world.open--
          return Promise.resolve()
        },
      })
    },
    openBackup: options.openBackup ?? (() => Promise.reject(new Error('the test did not expect a backup'))),
    startNode: options.startNode ?? (() => Promise.reject(new Error('the test did not expect a node'))),
  }
  return world
}
