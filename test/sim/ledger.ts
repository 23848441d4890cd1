import { EntryKind } from '../../src/raft/types.ts'
import type { LogEntry } from '../../src/raft/types.ts'
import type { ApplyResult } from '../../src/kv/types.ts'
import { decodeCommand } from '../../src/wire/command.ts'
import type { Operation } from '../../src/wire/types.ts'
import type { Answer, Asked, Seen } from './workload/operation.ts'

interface Version {
  readonly revision: number
  readonly value: string | undefined
  readonly createRevision: number
  readonly version: number
}

/** Where the ledger stands. Whatever is asked from now on must not be answered from before. */
export interface LedgerPosition {
  /** The newest revision that an answer showed. */
  readonly revision: number
  /** History before this revision was given up. */
  readonly compacted: number
}

/**
 * What the committed log means, worked out anew from its commands: which write made which revision, and what
 * each key held at each of them. Every answer that a client gets is held to it at once: revisions tell an order
 * of all operations, so an answer that does not fit shows without a search.
 */
export class Ledger {
  readonly #broken: (rule: string, what: string) => void
  readonly #writes: (Operation | undefined)[] = [undefined]
  readonly #versions = new Map<string, Version[]>()
  /** Commands that had an effect, by session and sequence. */
  readonly #executed = new Set<string>()
  /** Values that were ever written, and values whose write was refused: no value may be in both. */
  readonly #stored = new Set<string>()
  readonly #refused = new Set<string>()
  /** Every session that was opened, in order. */
  readonly sessions: number[] = []
  #lastIndex = 0
  /** The newest revision that an answer showed. Whatever is asked from now on must not show an older one. */
  #seen = 0
  #compacted = 0

  constructor(broken: (rule: string, what: string) => void) {
    this.#broken = broken
  }

  /** The last revision applied. */
  get revision(): number {
    return this.#writes.length - 1
  }

  /** What the answer to what is asked now has to show. */
  get now(): LedgerPosition {
    return { revision: this.#seen, compacted: this.#compacted }
  }

  /** Some node applied an entry; the first time counts. */
  applied(entry: LogEntry, result: ApplyResult): void {
    if (entry.index <= this.#lastIndex) return
    this.#lastIndex = entry.index
    if (!('refused' in result) && result.session !== 0) this.sessions.push(result.session)
    if ('refused' in result || entry.kind !== EntryKind.Command) return
    const { session, sequence, operation } = decodeCommand(entry.data)
    if (operation.type === 'compact' && operation.revision <= this.revision)
      this.#compacted = Math.max(this.#compacted, operation.revision)
    if (result.revision <= this.revision || operation.type === 'compact') return
    if (session !== 0) {
      const identity = `${session}/${sequence}`
      if (this.#executed.has(identity)) {
        this.#broken(
          'applied once',
          `write ${sequence} of session ${session} is applied again at ${entry.index}`,
        )
      }
      this.#executed.add(identity)
    }
    this.#writes.push(operation)
    const revision = this.revision
    if (operation.type === 'putMany') {
      for (const { key, value } of operation.puts) this.#put(key, revision, value)
    } else if (operation.type === 'delete') {
      this.#put(operation.key, revision, undefined)
    } else {
      this.#put(operation.key, revision, operation.type === 'put' ? operation.value : operation.newValue)
    }
  }

  /**
   * A client was answered. `before` is what `now` was when it asked; a stale read may show less, but never what
   * never was.
   */
  answered(asked: Asked, answer: Answer, before: LedgerPosition): void {
    const { revision } = answer
    const seenBefore = before.revision
    const what = (): string => `${JSON.stringify(asked)} → ${JSON.stringify(answer)}`
    if (asked.type === 'get' && asked.revision !== undefined) {
      const problem = this.#pastProblem(asked, answer, before)
      if (problem !== undefined) this.#broken('history', `${what()}: ${problem}`)
      return
    }
    if (revision > this.revision) {
      this.#broken('acknowledged writes', `${what()}: nobody has applied that revision`)
      return
    }
    const effective = isEffective(asked, answer)
    if (
      !(asked.type === 'get' && asked.stale) &&
      (effective ? revision <= seenBefore : revision < seenBefore)
    ) {
      this.#broken('real-time order', `${what()}: revision ${seenBefore} had been seen before it was asked`)
    }
    const problem = effective ? this.#writeProblem(asked, revision) : this.#readProblem(asked, answer)
    if (problem !== undefined) this.#broken('acknowledged writes', `${what()}: ${problem}`)
    this.#seen = Math.max(this.#seen, asked.type === 'get' && asked.stale ? 0 : revision)
  }

  /** A client was told that what it asked for was certainly not done. */
  refused(asked: Asked, code: string): void {
    if (code === 'COMPACTED' && !(asked.type === 'get' && (asked.revision ?? Infinity) < this.#compacted))
      this.#broken('history', `${JSON.stringify(asked)} is refused: ${this.#compacted} can be read`)
    if (code === 'INVALID_ARGUMENT' && !(asked.type === 'get' && asked.stale))
      this.#broken('history', `${JSON.stringify(asked)} is in the future, which was seen before`)
    for (const [key, value] of effectsOf(asked)) {
      if (value === undefined) continue
      this.#refused.add(value)
      if (this.#stored.has(value)) this.#broken('no false failure', `${key} = ${value} was refused, and done`)
    }
  }

  #put(key: Uint8Array, revision: number, value: Uint8Array | undefined): void {
    const name = Buffer.from(key).toString()
    const versions = this.#versions.get(name)
    const last = versions?.at(-1)
    const version = {
      revision,
      value: value === undefined ? undefined : Buffer.from(value).toString(),
      createRevision: last?.value === undefined ? revision : last.createRevision,
      version: last?.value === undefined ? 1 : last.version + 1,
    }
    if (version.value !== undefined) {
      this.#stored.add(version.value)
      if (this.#refused.has(version.value)) {
        this.#broken('no false failure', `${name} = ${version.value} had been refused, and is done`)
      }
    }
    if (versions === undefined) this.#versions.set(name, [version])
    else versions.push(version)
  }

  #versionAt(key: string, revision: number): Version | undefined {
    const versions = this.#versions.get(key) ?? []
    let low = 0
    let high = versions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (versions[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return versions[low - 1]
  }

  /** The write stands at its revision, as it was asked for. */
  #writeProblem(asked: Asked, revision: number): string | undefined {
    const operation = this.#writes[revision]!
    if (operation.type !== asked.type) return `revision ${revision} is a ${operation.type}`
    for (const [key, value] of effectsOf(asked)) {
      const version = this.#versionAt(key, revision)
      if (version?.revision !== revision || version.value !== value) {
        return `at revision ${revision} ${key} is ${version?.value}`
      }
    }
    if (asked.type !== 'cas') return undefined
    const before = this.#versionAt(asked.key, revision - 1)
    return this.#holds(asked, before) ? undefined : `the condition did not hold: it was ${before?.value}`
  }

  /** A read of the past shows it, and none that had been given up. */
  #pastProblem(
    asked: Extract<Asked, { type: 'get' }>,
    answer: Answer,
    before: LedgerPosition,
  ): string | undefined {
    if (answer.revision !== asked.revision) return 'another revision was asked for'
    if (!asked.stale && answer.revision < before.compacted) return `it was compacted to ${before.compacted}`
    return this.#readProblem(asked, answer)
  }

  /** What was read, or what a condition was found not to hold against, was there at that revision. */
  #readProblem(asked: Asked, { revision, entries, current }: Answer): string | undefined {
    const differs = (key: string, seen: Seen | undefined): string | undefined => {
      const version = this.#versionAt(key, revision)
      const same =
        version?.value === seen?.value &&
        (seen === undefined ||
          (seen.modRevision === version?.revision &&
            seen.createRevision === version.createRevision &&
            seen.version === version.version))
      return same ? undefined : `at revision ${revision} ${key} is ${version?.value}`
    }
    switch (asked.type) {
      case 'get':
        return asked.keys.map((key, i) => differs(key, entries?.[i])).find((problem) => problem !== undefined)
      case 'delete':
        return differs(asked.key, undefined)
      case 'cas':
        if (this.#holds(asked, this.#versionAt(asked.key, revision))) return 'the condition held'
        return differs(asked.key, current)
      default:
        return undefined
    }
  }

  #holds({ expected }: Extract<Asked, { type: 'cas' }>, version: Version | undefined): boolean {
    if ('absent' in expected) return version?.value === undefined
    if (version?.value === undefined) return false
    return 'value' in expected ? version.value === expected.value : version.revision === expected.modRevision
  }
}

/** Whether it changed something. */
function isEffective(asked: Asked, answer: Answer): boolean {
  if (asked.type === 'get') return false
  return asked.type === 'put' || asked.type === 'putMany' || answer.succeeded === true
}

function effectsOf(asked: Asked): [string, string | undefined][] {
  switch (asked.type) {
    case 'put':
    case 'cas':
      return [[asked.key, asked.value]]
    case 'putMany':
      return [...asked.puts]
    case 'delete':
      return [[asked.key, undefined]]
    case 'compact':
    case 'get':
      return []
  }
}
