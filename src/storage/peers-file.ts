import type { NodeId } from '../raft/types.ts'
import { decodeChecked, encodeChecked } from './checked-file.ts'
import { damaged } from './disk-failure.ts'
import type { Disk } from './disk.ts'

const FILE = 'peers'

/**
 * The incarnation of every peer that this node has ever counted something from. A peer that comes back under
 * its id with another one has lost what it promised.
 */
export class PeersFile {
  readonly #disk: Disk
  readonly #incarnations: Map<NodeId, number>
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, incarnations: Map<NodeId, number>) {
    this.#disk = disk
    this.#incarnations = incarnations
  }

  /** Makes the file anew, empty: at the first start. */
  static async create(disk: Disk): Promise<PeersFile> {
    await disk.replaceFile(FILE, encodeChecked({}))
    return new PeersFile(disk, new Map())
  }

  /** Throws DamagedDataError where the file is missing or broken. */
  static async open(disk: Disk): Promise<PeersFile> {
    const bytes = await disk.readFile(FILE)
    if (bytes === undefined) throw damaged(`The file ${FILE} in ${disk.path} is missing`)
    const value = decodeChecked(bytes)
    if (typeof value !== 'object' || value === null) {
      throw damaged(`The file ${FILE} in ${disk.path} is broken (its checksum does not fit its content)`)
    }
    const incarnations = new Map<NodeId, number>()
    for (const [id, incarnation] of Object.entries(value)) incarnations.set(id, Number(incarnation))
    return new PeersFile(disk, incarnations)
  }

  /** What is known, as a copy. */
  incarnations(): Map<NodeId, number> {
    return new Map(this.#incarnations)
  }

  /** Resolves when the peer's incarnation is durable. Rejects with DiskError or DiskFullError. */
  async remember(id: NodeId, incarnation: number): Promise<void> {
    // One after the other: two replacements of one file at a time would share the temporary one.
    const written = this.#writing.then(async () => {
      if (this.#incarnations.get(id) === incarnation) return
      const next = new Map(this.#incarnations).set(id, incarnation)
      await this.#disk.replaceFile(FILE, encodeChecked(Object.fromEntries(next)))
      this.#incarnations.set(id, incarnation)
    })
    this.#writing = written.catch(() => undefined)
    return written
  }

  /** Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    await this.#writing
  }
}
