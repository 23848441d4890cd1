/** Ordered rows, keyed by bytes as latin1, whose order is that of the bytes. */
export class Rows {
  readonly #values: Map<string, Uint8Array>
  readonly #keys: string[]

  constructor(values = new Map<string, Uint8Array>(), keys: string[] = []) {
    this.#values = values
    this.#keys = keys
  }

  clone(): Rows {
    return new Rows(new Map(this.#values), [...this.#keys])
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: Uint8Array): void {
    const before = this.#values.size
    this.#values.set(key, value)
    if (this.#values.size === before) return
    const last = this.#keys[this.#keys.length - 1]
    if (last === undefined || last < key) this.#keys.push(key)
    else this.#keys.splice(this.#position(key), 0, key)
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#position(key), 1)
  }

  get bytes(): number {
    let bytes = 0
    for (const [key, value] of this.#values) bytes += key.length + value.length
    return bytes
  }

  /** The keys from `low` (included) up to `high` (not included). */
  between(low: string | undefined, high: string | undefined): string[] {
    const first = low === undefined ? 0 : this.#position(low)
    const end = high === undefined ? this.#keys.length : this.#position(high)
    return this.#keys.slice(first, Math.max(first, end))
  }

  /** Where the first key stands that is not below this one. */
  #position(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The key as text. */
export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
