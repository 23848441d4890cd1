import type { Operation, WholeProblem } from '../types.ts'
import { describeKv } from './kv-words.ts'
import type { KvInput, KvOutput } from './kv-types.ts'

type KvOperation = Operation<KvInput, KvOutput>

/**
 * What must hold of the store's revisions over all keys, in one pass over the history: an operation answers with
 * no lower revision than any operation that had returned before it was called, a write with a higher one, and two
 * writes share a revision only if they are parts of one request.
 *
 * With this, and with every key in order by itself, the whole store is: the revisions say in which order.
 *
 * @returns at most one problem of each sort: one bad revision contradicts many others
 */
export function checkRevisions(history: readonly KvOperation[]): WholeProblem<KvInput, KvOutput>[] {
  const known = history.filter(({ output }) => output?.revision !== undefined)
  const backward = findBackward(known)
  const shared = findShared(known)
  return [...(backward ? [backward] : []), ...(shared ? [shared] : [])]
}

function findBackward(known: readonly KvOperation[]): WholeProblem<KvInput, KvOutput> | undefined {
  const byReturn = [...known].sort((a, b) => a.return - b.return)
  const byCall = [...known].sort((a, b) => a.call - b.call)
  let newest: KvOperation | undefined
  let returned = 0
  for (const later of byCall) {
    for (; returned < byReturn.length && byReturn[returned]!.return < later.call; returned++) {
      const earlier = byReturn[returned]!
      if (newest === undefined || revisionOf(earlier) > revisionOf(newest)) newest = earlier
    }
    if (newest === undefined) continue
    const atLeast = revisionOf(newest) + (isChange(later) ? 1 : 0)
    if (revisionOf(later) >= atLeast) continue
    return {
      operations: [newest, later],
      explanation:
        `${told(newest)} had shown the store at revision ${revisionOf(newest)} before ${told(later)} was ` +
        `asked, which was answered with revision ${revisionOf(later)}: ${atLeast} or more was due.`,
    }
  }
  return undefined
}

function findShared(known: readonly KvOperation[]): WholeProblem<KvInput, KvOutput> | undefined {
  const changes = new Map<number, KvOperation>()
  for (const operation of known) {
    if (!isChange(operation)) continue
    const other = changes.get(revisionOf(operation))
    changes.set(revisionOf(operation), operation)
    if (!other || isSameRequest(other, operation)) continue
    return {
      operations: [other, operation],
      explanation:
        `${told(other)} and ${told(operation)} both say that they made revision ${revisionOf(operation)}: ` +
        `each change has a revision of its own.`,
    }
  }
  return undefined
}

function isSameRequest(a: KvOperation, b: KvOperation): boolean {
  return a.process === b.process && a.call === b.call && a.key !== b.key
}

function isChange({ input, output }: KvOperation): boolean {
  return input.op === 'put' || output?.succeeded === true || output?.deleted === true
}

function revisionOf({ output }: KvOperation): number {
  return output!.revision!
}

function told({ key, process, input, output }: KvOperation): string {
  return `${JSON.stringify(key)}: ${describeKv(input, output)} (client ${process})`
}
