import type { Message, Term, Write } from '../raft/types.ts'
import type { LogStore } from '../storage/log-store.ts'

/** What becomes of writes. */
export interface LogWriterEvents {
  /** Everything up to this write is on disk (undefined: nothing was written), and so is what these promise. */
  written(writeId: number | undefined, promises: readonly Message[]): void
  /** The disk failed: nothing is written any more. */
  failed(error: unknown): void
}

/**
 * What is on its way to the log, and the messages that promise it. One write at a time: everything that was handed
 * out since the last one goes into one synced batch, which is the group commit.
 */
export class LogWriter {
  readonly #log: LogStore
  readonly #events: LogWriterEvents
  /** Not yet on their way to the disk, and the messages that promise them. */
  #writes: Write[] = []
  #promises: Message[] = []
  /** Promises of the write that is on its way; undefined: none is. */
  #underWay: Message[] | undefined
  /** The newest that was handed out; 0: none was. */
  #term: Term = 0
  #last = Promise.resolve()

  constructor(log: LogStore, events: LogWriterEvents) {
    this.#log = log
    this.#events = events
  }

  /** A write is on its way. */
  get busy(): boolean {
    return this.#underWay !== undefined
  }

  /** Resolves when the write that is on its way has ended, in whatever way. */
  get last(): Promise<void> {
    return this.#last
  }

  add(write: Write): void {
    this.#writes.push(write)
    this.#term = write.hardState?.currentTerm ?? this.#term
  }

  /** Keeps messages until the newest write is on disk. Returns those that wait for nothing, because all are. */
  promise(messages: readonly Message[]): readonly Message[] {
    if (this.#writes.length > 0) this.#promises.push(...messages)
    else if (this.#underWay !== undefined) this.#underWay.push(...messages)
    else return messages
    return []
  }

  /**
   * Begins the next write, unless one is on its way. What resets the log goes by itself, and the promises with the
   * last. A piece of the log that is to be cut off goes along, or by itself where there is nothing else.
   *
   * A promise of a term that ends within the batch is dropped, as the network might: the next term's leader may have
   * had the very entry replaced that it acknowledges, which then never comes to the disk.
   */
  begin(): void {
    if (this.busy || (this.#writes.length === 0 && !this.#log.cutReady)) return
    const reset = this.#writes.findIndex((write) => write.reset !== undefined)
    const writes = this.#writes.splice(0, reset === -1 ? this.#writes.length : Math.max(reset, 1))
    const promises = this.#writes.length === 0 ? this.#promises.splice(0) : []
    this.#underWay = promises.filter(({ term }) => term >= this.#term)
    this.#last = this.#log.append(writes).then(
      () => {
        const promises = this.#underWay!
        this.#underWay = undefined
        this.#events.written(writes.at(-1)?.id, promises)
      },
      (error: unknown) => this.#events.failed(error),
    )
  }
}
