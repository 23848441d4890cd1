import type { Clock } from '../../clock.ts'
import { DamagedDataError } from '../../errors.ts'
import { META_KEY } from '../../kv/layout.ts'
import { StateHasher } from '../../kv/state-hash.ts'
import type { StateChange } from '../../kv/types.ts'
import { WireError } from '../../wire/protobuf.ts'
import type { Disk } from '../disk.ts'
import { LevelStateStore } from '../level-state-store.ts'
import type { StateStore } from '../state-store.ts'
import { chunkChecksum, decodeChunk, startOf } from './chunk.ts'
import type { DecodedChunk, Piece } from './chunk.ts'
import { decodeSnapshotMeta } from './meta.ts'
import type { SnapshotBuilder, SnapshotCursor, SnapshotMeta } from './snapshot.ts'
import { SnapshotError } from './snapshot.ts'

/** About how many bytes of rows go into one synced batch; as many are gathered while one is being written. */
const BATCH_BYTES = 4 * 1024 * 1024

/** The parts of a place where a state is built. */
export interface BuildingSite {
  /** Open and empty. */
  readonly store: Pick<StateStore, 'write' | 'close'>
  /** Makes what was written and closed durable as a whole. */
  sync(): Promise<void>
  /** Removes it, closed. */
  remove(): Promise<void>
}

export interface SnapshotBuilderOptions {
  readonly disk: Disk
  /** The new state database's name on that disk. What is there under this name goes. */
  readonly name: string
  readonly clock: Clock
  /** `SnapshotMeta.encoded`. */
  readonly meta: Uint8Array
}

/**
 * Begins to build a state store from a snapshot, beside the one that is in use. Throws SnapshotError where the meta
 * is none, DiskError and DiskFullError.
 */
export async function createSnapshotBuilder(options: SnapshotBuilderOptions): Promise<SnapshotBuilder> {
  const { disk, name, clock } = options
  const meta = metaOf(options.meta)
  await disk.removeDatabase(name)
  const store = new LevelStateStore({ disk, name, clock, createIfMissing: true })
  await store.open()
  return new StateBuilder(meta, {
    store,
    sync: () => disk.syncDatabase(name),
    remove: () => disk.removeDatabase(name),
  })
}

/** Builds a state in any state store. */
export class StateBuilder implements SnapshotBuilder {
  readonly meta: SnapshotMeta
  readonly #site: BuildingSite
  readonly #hasher = new StateHasher()
  #end: SnapshotCursor
  #complete = false
  /** Why nothing can come of it any more. */
  #failure: SnapshotError | undefined
  #batch: StateChange[] = []
  #batchBytes = 0
  /** The batch before, on its way to the disk. */
  #flushing: Promise<void> = Promise.resolve()
  /** The row that the last chunk cut. */
  #cut: CutRow | undefined

  constructor(meta: SnapshotMeta, site: BuildingSite) {
    this.meta = meta
    this.#site = site
    this.#end = startOf(meta)
  }

  get cursor(): SnapshotCursor | undefined {
    return this.#end.chunks === 0 ? undefined : this.#end
  }

  get complete(): boolean {
    return this.#complete
  }

  /** How many keys it has taken, without tombstones. */
  get keys(): number {
    return this.#hasher.keys
  }

  /** How many sessions it has taken. */
  get sessions(): number {
    return this.#hasher.sessions
  }

  async add(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const chunk = this.#checked(bytes)
    let { rows, lastKey } = this.#end
    try {
      for (const piece of chunk.pieces) {
        if (piece.key !== undefined) {
          if (rows > 0 && Buffer.compare(piece.key, lastKey) <= 0)
            throw this.#wrong(chunk, 'keys are not in order')
          rows++
          lastKey = piece.key
        }
        this.#take(chunk, piece)
      }
      if (chunk.rows !== rows) throw this.#wrong(chunk, `it should end with row ${chunk.rows}, not ${rows}`)
      if (chunk.last && this.#cut !== undefined) throw this.#wrong(chunk, 'it ends within a row')
    } catch (error) {
      throw (this.#failure = this.#failed(chunk, error))
    }
    this.#end = {
      chunks: chunk.number,
      rows,
      bytes: this.#end.bytes + bytes.length,
      lastKey: Uint8Array.from(lastKey),
      cutAt: this.#cut?.filled ?? 0,
      checksum: chunk.checksum,
    }
    this.#complete = chunk.last
    if (this.#batchBytes >= BATCH_BYTES || chunk.last) await this.#flush()
  }

  async finish(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (!this.#complete)
      throw new SnapshotError(`A snapshot ends after ${this.#end.chunks} chunks, without its last`)
    const { stateHash, encoded } = this.meta
    const found = this.#hasher.hash(this.meta)
    if (found !== stateHash) {
      this.#failure = new SnapshotError(
        `A snapshot's state has the hash ${found}, its sender says ${stateHash}`,
      )
      throw this.#failure
    }
    await this.#flushing
    // Written last: without it what stands there is no state.
    await this.#site.store.write([[META_KEY, encoded]])
    await this.#site.store.close()
    await this.#site.sync()
  }

  async discard(): Promise<void> {
    await this.#flushing.catch(() => {})
    await this.#site.store.close()
    await this.#site.remove()
  }

  /** The chunk taken apart, where it is whole and the next one. */
  #checked(bytes: Uint8Array): DecodedChunk {
    const number = this.#end.chunks + 1
    const damaged = (cause?: unknown): SnapshotError =>
      new SnapshotError(`Chunk ${number} of a snapshot came damaged or out of order`, {
        cause,
        resumable: true,
      })
    if (this.#complete) throw new SnapshotError(`A chunk came after a snapshot's last`, { resumable: true })
    try {
      const chunk = decodeChunk(bytes)
      if (chunk.checksum === chunkChecksum(bytes, this.#end.checksum) && chunk.number === number) return chunk
    } catch (error) {
      if (error instanceof WireError) throw damaged(error)
      throw error
    }
    throw damaged()
  }

  #take(chunk: DecodedChunk, piece: Piece): void {
    if (piece.key === undefined) {
      if (this.#cut === undefined) throw this.#wrong(chunk, 'it goes on with a row that is complete')
      if (!this.#cut.add(piece)) throw this.#wrong(chunk, 'a row does not have the length it should')
    } else {
      if (this.#cut !== undefined) throw this.#wrong(chunk, 'a row is not complete')
      if (piece.missing === 0) return this.#row(piece.key, piece.value)
      this.#cut = new CutRow(piece)
    }
    if (!this.#cut.complete) return
    const { key, value } = this.#cut
    this.#cut = undefined
    this.#row(key, value)
  }

  #row(key: Uint8Array, value: Uint8Array): void {
    this.#hasher.add(key, value)
    this.#batch.push([key, value])
    this.#batchBytes += key.length + value.length
  }

  /** Begins to write what was gathered. Rejects where the batch before could not be written. */
  async #flush(): Promise<void> {
    await this.#flushing
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    this.#batchBytes = 0
    this.#flushing = this.#site.store.write(batch)
    // Whoever comes next is told of a failure: the next chunk, or the end.
    this.#flushing.catch(() => {})
  }

  #wrong(chunk: DecodedChunk, what: string): SnapshotError {
    return new SnapshotError(`Chunk ${chunk.number} of a snapshot is wrong: ${what}`)
  }

  #failed(chunk: DecodedChunk, error: unknown): SnapshotError {
    if (error instanceof SnapshotError) return error
    // The row came as it was sent: it is the sender's data that is damaged, not what this node has.
    const message = `Chunk ${chunk.number} of a snapshot has a row that is not what was written under its key`
    if (error instanceof DamagedDataError || error instanceof WireError)
      return new SnapshotError(message, { cause: error })
    throw error
  }
}

/** A row whose value comes in several chunks. */
class CutRow {
  readonly key: Uint8Array
  readonly value: Buffer
  filled = 0

  constructor({ key, value, missing }: Piece) {
    this.key = Uint8Array.from(key!)
    this.value = Buffer.allocUnsafe(value.length + missing)
    this.filled = this.value.length - missing
    this.value.set(value)
  }

  get complete(): boolean {
    return this.filled === this.value.length
  }

  /** Whether the piece is what has to come next. */
  add({ value, missing }: Piece): boolean {
    if (this.filled + value.length + missing !== this.value.length) return false
    this.value.set(value, this.filled)
    this.filled += value.length
    return true
  }
}

function metaOf(encoded: Uint8Array): SnapshotMeta {
  try {
    return decodeSnapshotMeta(encoded)
  } catch (error) {
    throw new SnapshotError('What a snapshot says about itself cannot be read', { cause: error })
  }
}
