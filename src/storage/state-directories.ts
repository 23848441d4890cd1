import type { Clock } from '../clock.ts'
import { BrokenInvariantError } from '../errors.ts'
import type { Disk } from './disk.ts'
import { LevelStateStore } from './level-state-store.ts'
import type { StateStore } from './state-store.ts'

/** What the names of state databases begin with; a number follows. */
export const STATE = 'state-'

/**
 * The state in force and what may stand beside it: the log's record says which one counts, all others are what a
 * crash has left of a snapshot that did not come to count, or of a state that one has replaced (§5).
 */
export class StateDirectories {
  readonly #disk: Disk
  readonly #clock: Clock
  #name: string
  #store: StateStore | undefined
  #lastNumber = 0

  /** @param name the one in force */
  constructor(disk: Disk, clock: Clock, name: string) {
    this.#disk = disk
    this.#clock = clock
    this.#name = name
  }

  get store(): StateStore {
    if (this.#store === undefined) throw new BrokenInvariantError('The state is used before it is open')
    return this.#store
  }

  /** Opens the one in force, which only the first start makes, and removes all others. */
  async open(createIfMissing: boolean): Promise<void> {
    this.#store = await this.#open(this.#name, createIfMissing)
    for (const name of await this.#disk.list()) {
      if (!name.startsWith(STATE)) continue
      this.#lastNumber = Math.max(this.#lastNumber, Number(name.slice(STATE.length)) || 0)
      if (name !== this.#name) await this.#disk.removeDatabase(name)
    }
  }

  newName(): string {
    return `${STATE}${++this.#lastNumber}`
  }

  async replace(name: string, take: (store: StateStore) => Promise<void>): Promise<void> {
    const store = await this.#open(name, false)
    try {
      await take(store)
    } catch (error) {
      await store.close()
      throw error
    }
    const [old, oldName] = [this.store, this.#name]
    this.#store = store
    this.#name = name
    await old.close()
    await this.#disk.removeDatabase(oldName)
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  async #open(name: string, createIfMissing: boolean): Promise<StateStore> {
    const store = new LevelStateStore({ disk: this.#disk, name, clock: this.#clock, createIfMissing })
    await store.open()
    return store
  }
}
