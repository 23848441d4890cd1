import type { Dice } from './dice.ts'

/** A write that may not have reached the device yet. */
interface Pending {
  readonly version: number
  readonly offset: number
  readonly bytes: Uint8Array
}

/** A file written in place: what the page cache holds, and what of it a power loss can take back or tear. */
export class SlotFileContent {
  readonly cached: Uint8Array
  #durable: Uint8Array
  #pending: Pending[] = []
  version = 0

  constructor(size: number) {
    this.cached = new Uint8Array(size)
    this.#durable = new Uint8Array(size)
  }

  write(offset: number, bytes: Uint8Array): void {
    const copy = new Uint8Array(bytes)
    this.cached.set(copy, offset)
    this.#pending.push({ version: ++this.version, offset, bytes: copy })
    // What was overwritten many times over has long been written back.
    if (this.#pending.length > 64) this.#writeBack(this.#pending.shift()!)
  }

  /** Everything up to this version has reached the device. */
  synced(version: number): void {
    while (this.#pending.length > 0 && this.#pending[0]!.version <= version) {
      this.#writeBack(this.#pending.shift()!)
    }
  }

  /**
   * The kernel writes back when it likes and each place by itself, so every place holds any one of the versions
   * that it had since the sync; the device may have been at one of them, and have got only half way.
   */
  losePower(dice: Dice): void {
    const offsets = new Set(this.#pending.map(({ offset }) => offset))
    const torn = dice.chance(0.25) ? dice.pick([...offsets, -1]) : -1
    for (const offset of offsets) {
      const versions = this.#pending.filter((write) => write.offset === offset)
      const reached = dice.below(versions.length + 1)
      for (const write of versions.slice(0, reached)) this.#writeBack(write)
      const next = versions[reached]
      if (offset === torn && next !== undefined) {
        const half = dice.below(next.bytes.length)
        this.#durable.set(next.bytes.subarray(0, half), offset)
      }
    }
    this.#pending = []
    this.cached.set(this.#durable)
  }

  #writeBack({ offset, bytes }: Pending): void {
    this.#durable.set(bytes, offset)
  }
}
