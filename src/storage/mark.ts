import { crc32 } from 'node:zlib'
import type { HardState, NodeId, Term } from '../raft/types.ts'
import { BrokenInvariantError } from '../errors.ts'
import type { Disk, SlotFile } from './disk.ts'

const FILE = 'mark'

/** Two pages, so that one write to the device never touches both slots. */
const SLOT_DISTANCE = 4096

/** Checksum, batch number, term, length of the vote; then the vote. */
const HEAD_SIZE = 4 + 8 + 8 + 1

/** What the log is known to have held: it must never be found with less. */
export interface MarkContent extends HardState {
  /** The number of a synced batch of the log. */
  readonly batchNumber: number
}

/**
 * A witness beside the log, in a plain file: LevelDB can lose its newest batches without an error (a lost or
 * broken write-ahead file), and only something outside of it can tell. Two checksummed slots are written in
 * turn, so that a torn write leaves the one before it.
 */
export class Mark {
  readonly #file: SlotFile
  readonly #slot = Buffer.alloc(HEAD_SIZE + 255)
  #newest: MarkContent | undefined
  #next: number

  private constructor(file: SlotFile, found: MarkContent | undefined, next: number) {
    this.#file = file
    this.#newest = found
    this.#next = next
  }

  /** The newest content that is whole; undefined where the file was missing, new, or broken in both slots. */
  get newest(): MarkContent | undefined {
    return this.#newest
  }

  /** Reads the mark without making it: undefined where it is missing or broken in both slots. */
  static async read(disk: Disk): Promise<MarkContent | undefined> {
    return newestOf(slotsOf(await disk.readFile(FILE)))?.content
  }

  /** Reads the mark and opens it for writing; it is made where it is missing. */
  static async open(disk: Disk): Promise<Mark> {
    const found = newestOf(slotsOf(await disk.readFile(FILE)))
    const file = await disk.openSlotFile(FILE, 2 * SLOT_DISTANCE)
    return new Mark(file, found?.content, found === undefined ? 0 : 1 - found.slot)
  }

  /** Without a sync: a crash of the process keeps it, a power loss may take it back. Throws DiskError, DiskFullError. */
  write(content: MarkContent): void {
    this.#file.write(this.#next * SLOT_DISTANCE, this.#encode(content))
    this.#next = 1 - this.#next
    this.#newest = content
  }

  /** Resolves when what was written is durable. Rejects with DiskError or DiskFullError. */
  async sync(): Promise<void> {
    await this.#file.sync()
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  #encode(content: MarkContent): Uint8Array {
    const slot = this.#slot
    const vote = Buffer.from(content.votedFor ?? '', 'utf8')
    if (vote.length > 255) throw new BrokenInvariantError('A node id has at most 255 bytes')
    const end = HEAD_SIZE + vote.length
    slot.writeBigUInt64LE(BigInt(content.batchNumber), 4)
    slot.writeBigUInt64LE(BigInt(content.currentTerm), 12)
    slot[20] = vote.length
    slot.set(vote, HEAD_SIZE)
    slot.writeUInt32LE(crc32(slot.subarray(4, end)), 0)
    return slot.subarray(0, end)
  }
}

/** What in the log contradicts the mark, in words; undefined where they fit. The log may be ahead of the mark. */
export function contradiction(log: MarkContent, mark: MarkContent): string | undefined {
  if (log.batchNumber < mark.batchNumber) {
    return `the log ends with batch ${log.batchNumber}, but batch ${mark.batchNumber} had been written`
  }
  if (log.currentTerm < mark.currentTerm) {
    return `the log knows of term ${log.currentTerm}, but term ${mark.currentTerm} had been written`
  }
  if (log.currentTerm === mark.currentTerm && mark.votedFor !== undefined && log.votedFor !== mark.votedFor) {
    return `in term ${log.currentTerm} the log has ${voteOf(log.votedFor)}, but ${voteOf(mark.votedFor)} had been written`
  }
  if (log.batchNumber === mark.batchNumber && !sameHardState(log, mark)) {
    return (
      `with batch ${log.batchNumber} the log has term ${log.currentTerm} and ${voteOf(log.votedFor)}, ` +
      `but term ${mark.currentTerm} and ${voteOf(mark.votedFor)} had been written`
    )
  }
  return undefined
}

/** Whether two hard states are of the same term and the same vote. */
export function sameHardState(a: HardState, b: HardState): boolean {
  return a.currentTerm === b.currentTerm && a.votedFor === b.votedFor
}

function voteOf(votedFor: NodeId | undefined): string {
  return votedFor === undefined ? 'no vote' : `a vote for ${votedFor}`
}

interface Slot {
  readonly slot: number
  readonly content: MarkContent
}

function newestOf(slots: readonly Slot[]): Slot | undefined {
  const [a, b] = slots
  if (a === undefined || b === undefined) return a ?? b
  return b.content.batchNumber > a.content.batchNumber ? b : a
}

function slotsOf(file: Uint8Array | undefined): Slot[] {
  if (file === undefined) return []
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  const slots: Slot[] = []
  for (const slot of [0, 1]) {
    const content = decode(bytes.subarray(slot * SLOT_DISTANCE, (slot + 1) * SLOT_DISTANCE))
    if (content !== undefined) slots.push({ slot, content })
  }
  return slots
}

function decode(slot: Buffer): MarkContent | undefined {
  if (slot.length < HEAD_SIZE) return undefined
  const end = HEAD_SIZE + slot[20]!
  if (slot.length < end || crc32(slot.subarray(4, end)) !== slot.readUInt32LE(0)) return undefined
  const currentTerm: Term = Number(slot.readBigUInt64LE(12))
  const votedFor = end === HEAD_SIZE ? undefined : slot.toString('utf8', HEAD_SIZE, end)
  return { batchNumber: Number(slot.readBigUInt64LE(4)), currentTerm, votedFor }
}
