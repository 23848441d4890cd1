import { crc32 } from 'node:zlib'
import type { Input, Message, NodeId, Output } from '../../src/raft/types.ts'
import type { Change } from './engine/disk.ts'
import type { Events } from './engine/events.ts'
import type { Recorded } from './workload/client.ts'
import { describeAsked, describeMessage, describeOutcome, describeStep } from './words.ts'

/** One thing that happened, for people. */
export interface TraceLine {
  readonly at: number
  readonly who: string
  /** Set for a message: who it goes to. */
  readonly to?: string
  readonly what: string
}

/**
 * A fingerprint of everything that happened: every message, disk write and answer, and when. Two runs of a seed
 * are the same if it is. It can also write everything down.
 */
export class Trace {
  readonly #events: Events
  readonly #write: ((line: TraceLine) => void) | undefined
  #bytes = 0
  #times = 0

  /** @param write takes each line; undefined: nobody wants to read it, and no words are made. */
  constructor(events: Events, write: ((line: TraceLine) => void) | undefined) {
    this.#events = events
    this.#write = write
  }

  /** The fingerprint so far, as hexadecimal. */
  get hash(): string {
    return this.#bytes.toString(16).padStart(8, '0') + (this.#times >>> 0).toString(16).padStart(8, '0')
  }

  /** Something in words. */
  note(who: string, what: () => string): void {
    this.#write?.({ at: this.#events.now, who, what: what() })
  }

  frame(from: string, to: string, frame: Uint8Array): void {
    this.#mix(frame)
    this.#text(from)
    this.#text(to)
  }

  lost(from: string, to: string, frame: Uint8Array): void {
    this.#mix(frame)
    this.#write?.({ at: this.#events.now, who: from, to, what: `a frame of ${frame.length} bytes is lost` })
  }

  wrote(id: NodeId, database: string, changes: readonly Change[]): void {
    for (const [key, value] of changes) {
      this.#text(key)
      if (value !== undefined) this.#mix(value)
    }
    this.note(id, () => `has ${changes.length} rows of its ${database} on disk`)
  }

  sent(message: Message): void {
    this.#write?.({
      at: this.#events.now,
      who: message.from,
      to: message.to,
      what: describeMessage(message),
    })
  }

  stepped(id: NodeId, input: Input, output: Output): void {
    if (this.#write === undefined) return
    for (const what of describeStep(input, output)) this.#write({ at: this.#events.now, who: id, what })
  }

  ended(recorded: Recorded): void {
    const { process, asked, outcome } = recorded
    this.#text(`${process} ${outcome.type} ${outcome.type === 'ok' ? outcome.answer.revision : outcome.code}`)
    this.note(process, () => `${describeAsked(asked)} → ${describeOutcome(outcome)}`)
  }

  /** FNV-1a: the texts are a few characters long, and there are two for each frame. */
  #text(text: string): void {
    let hash = this.#bytes
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    this.#bytes = hash >>> 0
    this.#time()
  }

  #mix(bytes: Uint8Array): void {
    // Of no bytes Node's crc32 sometimes gives 0, and sometimes what it was given to begin with.
    if (bytes.length > 0) this.#bytes = crc32(bytes, this.#bytes)
    this.#time()
  }

  #time(): void {
    const now = this.#events.now
    this.#times = Math.imul(this.#times ^ Math.floor(now * 1024), 0x01000193) ^ this.#bytes
  }
}
