import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Envelope } from '../../src/maelstrom/protocol.ts'

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** How long a node may take to end once its input has, in milliseconds. */
const ENDING_MS = 10_000

/** The newest part of a log that is kept, in characters. */
const LOG_LENGTH = 100_000

/** The command that runs `balsa maelstrom`. */
export function balsaMaelstrom(...flags: readonly string[]): readonly string[] {
  return [process.env.BALSA_NODE ?? process.execPath, CLI, 'maelstrom', ...flags]
}

/** One node as Maelstrom runs it: a process that reads and writes lines. */
export class NodeProcess {
  readonly id: string
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  #log = ''
  /** Lines of its standard output that are no messages. */
  readonly strayLines: string[] = []

  constructor(id: string, command: readonly string[], said: (envelope: Envelope) => void) {
    this.id = id
    const [program, ...args] = command
    this.#child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code) => resolve(code))
    })
    // Told by `close`; until then nobody listens.
    this.#ended.catch(() => {})
    this.#child.stdin!.on('error', () => {})
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-LOG_LENGTH)
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      try {
        said(JSON.parse(line) as Envelope)
      } catch {
        this.strayLines.push(line)
      }
    })
  }

  /** What it wrote to standard error, lately. */
  get log(): string {
    return this.#log
  }

  deliver(envelope: Envelope): void {
    this.#child.stdin!.write(`${JSON.stringify(envelope)}\n`)
  }

  /** Ends its input and waits for its end. Resolves to its exit code; null: it had to be killed. */
  async close(): Promise<number | null> {
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ENDING_MS)
    try {
      return await this.#ended
    } finally {
      clearTimeout(timer)
    }
  }
}
