import { spreadOf } from '../statistics.ts'

/** What V8's profiler writes, as far as it is used here. Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Which node was found at each sample. */
  readonly samples: readonly number[]
  /** How long after the sample before. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    /** From 0. */
    readonly lineNumber: number
  }
}

/** A function with the time in it, without what it called. */
export interface SelfTime {
  readonly name: string
  /** The file and the line, short; empty for what V8 itself does. */
  readonly where: string
  readonly ms: number
  /** Of the time in which the process was not idle. */
  readonly share: number
}

/** What V8 calls the time with nothing to do: it is no part of the load. */
const IDLE = '(idle)'

/**
 * Self time by function, most first. Every sample counts as the usual time between two: where the machine is shared, the
 * longer ones are those in which the process was not let run, and not that function's doing.
 */
export function selfTimes(profile: CpuProfile): SelfTime[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]))
  const usual = profile.timeDeltas.length === 0 ? 0 : spreadOf(profile.timeDeltas).median
  const totals = new Map<string, { name: string; where: string; samples: number }>()
  let busy = 0
  for (const id of profile.samples) {
    const frame = nodes.get(id)
    if (frame === undefined || frame.functionName === IDLE) continue
    busy++
    const name = frame.functionName || '(anonymous)'
    const where = frame.url === '' ? '' : `${shortUrl(frame.url)}:${frame.lineNumber + 1}`
    const total = totals.get(`${name} ${where}`) ?? { name, where, samples: 0 }
    total.samples++
    totals.set(`${name} ${where}`, total)
  }
  return [...totals.values()]
    .toSorted((a, b) => b.samples - a.samples)
    .map(({ name, where, samples }) => ({ name, where, ms: (samples * usual) / 1000, share: samples / busy }))
}

/** From the package's name, or from dist, on. */
function shortUrl(url: string): string {
  const from = ['/node_modules/', '/dist/'].map((part) => url.lastIndexOf(part)).find((at) => at >= 0)
  return from === undefined ? url : url.slice(from + 1).replace(/^node_modules\//, '')
}
