import { KV_LIMITS } from '../kv/limits.ts'
import { MIB } from './setting-kinds.ts'
import { SETTINGS } from './settings.ts'

/** What the rest of a node takes of the heap, with room for the garbage collector: about what one under load has. */
const REST_BYTES = 128 * MIB

/** The settings that say how much a node keeps in V8's heap. */
export interface HeapSettings {
  readonly cacheBytes?: number | undefined
  readonly maxUnwrittenBytes?: number | undefined
}

/** What is wrong with the heap, in words; `refused`: so wrong that the node must not start. */
export interface HeapSlip {
  readonly refused: boolean
  readonly text: string
}

/**
 * Holds what a node may keep in memory against what Node lets its heap grow to: beyond that, V8 ends the process, which
 * no error handler sees. The bytes of records lie beside the heap, the tables around them in it: of small records that
 * is most of what they take. Nobody knows beforehand which there will be, so all are counted.
 *
 * Where a node needs more than there is, it is refused: but not while it needs no more than by default. Otherwise it
 * would not start on a small machine, where it works for as long as it has little to keep; so that is only a warning.
 *
 * @param heapBytes what the heap may grow to, as `v8.getHeapStatistics().heap_size_limit` has it
 */
export function heapSlip(settings: HeapSettings, heapBytes: number): HeapSlip | undefined {
  const { cacheBytes, maxUnwrittenBytes } = settings
  // One that is missing was given, and wrong: that is told in its own words.
  if (cacheBytes === undefined || maxUnwrittenBytes === undefined) return undefined
  const needed = heapNeeded(cacheBytes, maxUnwrittenBytes)
  if (needed <= heapBytes) return undefined
  const refused =
    needed > heapNeeded(SETTINGS.cacheBytes.defaultValue!, SETTINGS.maxUnwrittenBytes.defaultValue!)
  const text =
    `--cache-bytes ${cacheBytes} and --max-unwritten-bytes ${maxUnwrittenBytes}, with ` +
    `${mebibytes(KV_LIMITS.maxAnswerBytes)} MiB for the answers of sessions and ${mebibytes(REST_BYTES)} MiB for the ` +
    `rest, may take ${mebibytes(needed)} MiB, but Node ends this process where its heap exceeds ` +
    `${Math.floor(heapBytes / MIB)} MiB. Lower the two, or raise that limit, where the machine has the memory, by ` +
    `NODE_OPTIONS=--max-old-space-size=${mebibytes(needed)}`
  return { refused, text }
}

function heapNeeded(cacheBytes: number, maxUnwrittenBytes: number): number {
  return cacheBytes + maxUnwrittenBytes + KV_LIMITS.maxAnswerBytes + REST_BYTES
}

/** Rounded up. */
function mebibytes(bytes: number): number {
  return Math.ceil(bytes / MIB)
}
