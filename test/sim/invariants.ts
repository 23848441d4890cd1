import { decodeLogState } from '../../src/wire/log-state.ts'
import { STATE_KEY } from '../../src/storage/log-records.ts'
import { EntryKind } from '../../src/raft/types.ts'
import type { LogState } from '../../src/wire/log-state.ts'
import type {
  Input,
  LogEntry,
  LogIndex,
  LogPosition,
  LogReset,
  Message,
  NodeId,
  Output,
  Term,
} from '../../src/raft/types.ts'
import type { NodeView } from '../../src/raft/node.ts'
import type { RecoveredLog } from '../../src/storage/log-store.ts'
import type { ApplyResult } from '../../src/kv/types.ts'
import type { Change } from './engine/disk.ts'
import { EntryTree } from './entry-tree.ts'
import { Shadow } from './shadow.ts'

const LOG_STATE = Buffer.from(STATE_KEY).toString('latin1')

/** What the first node to apply an entry made of it: every other one must come to the same. */
interface Applied {
  readonly outcome: string
  readonly hash: string
}

/**
 * The guarantees of Figure 3.2 and what they stand on, checked after every step over all nodes at once. It
 * believes no node: what is committed it works out from what is on the disks.
 */
export class Invariants {
  /** How often something was checked. */
  steps = 0
  /** How often a snapshot was put in force. */
  installs = 0
  readonly shadows: ReadonlyMap<NodeId, Shadow>
  /** How often a node went from one role to another. */
  readonly transitions = new Map<string, number>()
  /** Elections won. */
  readonly leaders = new Map<Term, NodeId>()
  readonly #tree: EntryTree
  readonly #broken: (rule: string, what: string) => void
  /** The checksum of each committed entry, as far as any node knows; at 0 that of the start. */
  readonly #committed: number[] = [0]
  /** The term in which each of them was committed. */
  readonly #committedIn: Term[] = [0]
  readonly #applied: (Applied | undefined)[] = []
  readonly #votes = new Map<string, NodeId>()
  readonly #majority: number

  /** @param broken is told which rule is broken, and how. */
  constructor(ids: readonly NodeId[], broken: (rule: string, what: string) => void) {
    this.shadows = new Map(ids.map((id) => [id, new Shadow(id)]))
    this.#broken = broken
    this.#majority = Math.floor(ids.length / 2) + 1
    this.#tree = new EntryTree((what) => broken('log matching', what))
  }

  /** The last entry that any node knows to be committed. */
  get committedIndex(): LogIndex {
    return this.#committed.length - 1
  }

  // ---- what nodes do ----

  /** A node has read its disk and begins again: nothing that it promised may be missing. */
  started(id: NodeId, found: RecoveredLog, appliedIndex: LogIndex): void {
    const node = this.shadows.get(id)!
    const { currentTerm, votedFor } = found.hardState
    for (const entry of found.tail) if (!this.#tree.has(entry)) this.#tree.add(entry, undefined)
    node.durable = this.#tree.path(found.last.index, found.last.checksum, node.durable)
    node.durableTerm = currentTerm
    node.durableVote = votedFor
    node.log = node.durable.slice()
    const { promised, promisedTerm, promisedVote } = node
    if (currentTerm < promisedTerm) {
      this.#fail(
        'promises kept',
        `${id} came back in term ${currentTerm}, after a promise in ${promisedTerm}`,
      )
    } else if (currentTerm === promisedTerm && promisedVote !== undefined && votedFor !== promisedVote) {
      this.#fail('promises kept', `${id} came back without its vote for ${promisedVote} in ${promisedTerm}`)
    }
    if (node.durable[promised.index] !== promised.checksum) {
      this.#fail('promises kept', `${id} came back without entry ${promised.index}, which it acknowledged`)
    }
    if (appliedIndex < node.checkpointIndex) {
      this.#fail(
        'checkpoints',
        `${id} came back at ${appliedIndex}, before checkpoint ${node.checkpointIndex}`,
      )
    }
    if (appliedIndex > this.committedIndex) {
      this.#fail('state machine safety', `${id} has applied ${appliedIndex}, which nobody has committed`)
    }
    node.up = true
    node.role = 'follower'
    node.leader = undefined
    node.term = currentTerm
    node.commitIndex = node.lastApplied = node.machineIndex = node.checkpointIndex = appliedIndex
  }

  stopped(id: NodeId): void {
    const node = this.shadows.get(id)!
    node.up = false
    node.role = 'follower'
    node.leader = undefined
  }

  /** The core took a step. */
  stepped(id: NodeId, input: Input, output: Output, view: NodeView): void {
    this.steps++
    const node = this.shadows.get(id)!
    const reset = output.write?.reset
    if (reset !== undefined) this.#reset(node, reset)
    if (input.type === 'compact' && input.upTo.index > node.checkpointIndex) {
      this.#fail(
        'compaction',
        `${id} cuts its log at ${input.upTo.index}, its checkpoint is ${node.checkpointIndex}`,
      )
    }
    const entries = output.write?.entries
    if (entries !== undefined && entries.length > 0) this.#written(node, entries, view)
    if (view.lastIndex !== node.log.length - 1) {
      this.#fail('log', `${id}: its log ends at ${view.lastIndex}, its writes at ${node.log.length - 1}`)
    }
    if (view.term < node.term) this.#fail('terms', `${id}: the term went back to ${view.term}`)
    if (view.commitIndex < node.commitIndex) this.#fail('commitIndex', `${id}: commitIndex went back`)
    if (view.lastApplied < node.lastApplied) this.#fail('lastApplied', `${id}: lastApplied went back`)
    if (view.lastApplied > view.commitIndex) this.#fail('lastApplied', `${id}: it passed commitIndex`)
    if (view.role === 'leader' && (node.role !== 'leader' || node.term !== view.term)) this.#leads(node, view)
    const before = node.commitIndex
    if (view.role !== node.role) {
      const name = `${node.role} → ${view.role}`
      this.transitions.set(name, (this.transitions.get(name) ?? 0) + 1)
    }
    node.role = view.role
    node.term = view.term
    node.leader = view.leader
    node.commitIndex = view.commitIndex
    node.lastApplied = view.lastApplied
    for (let index = before + 1; index <= view.commitIndex; index++) this.#commits(node, index)
    if (view.role === 'leader' && view.commitIndex > before) this.#checkCommitRule(node)
  }

  /** A message leaves: nothing is promised that the sender's disk does not hold (§3.8). */
  sent(message: Message): void {
    const { from, to, term, type } = message
    const node = this.shadows.get(from)!
    if (type === 'vote' || (type === 'voteReply' && message.granted)) {
      const vote = type === 'vote' ? from : to
      const name = `${from} ${term}`
      const before = this.#votes.get(name)
      if (before !== undefined && before !== vote) {
        this.#fail('one vote a term', `${from} voted for ${before} and for ${vote} in term ${term}`)
      }
      this.#votes.set(name, vote)
      const kept = node.durableTerm === term ? node.durableVote === vote : node.durableTerm > term
      if (!kept)
        this.#fail('promises kept', `${from} votes for ${vote} in ${term} before that is on its disk`)
      this.#promises(node, term, vote)
    } else if (type === 'appendReply' && message.success) {
      if (node.durableTerm < term) {
        this.#fail('promises kept', `${from} acknowledges in term ${term}, which is not on its disk`)
      }
      this.#promises(node, term, undefined)
      this.#acknowledges(node, message.matchIndex)
    }
  }

  /** A batch of the node's log is on its disk. */
  logWritten(id: NodeId, changes: readonly Change[], durable: boolean): void {
    if (!durable) return
    const node = this.shadows.get(id)!
    for (const [key, value] of changes) {
      if (key !== LOG_STATE || value === undefined) continue
      const state = decodeLogState(value.subarray(4))
      node.durableTerm = state.currentTerm
      node.durableVote = state.votedFor
      node.durable = this.#tree.path(state.lastIndex, state.lastChecksum, node.durable)
      this.#begins(node, state)
    }
  }

  /** The state machine applied an entry. */
  applied(id: NodeId, entry: LogEntry, result: ApplyResult, hash: string): void {
    this.steps++
    const node = this.shadows.get(id)!
    const { index, checksum } = entry
    if (index !== node.machineIndex + 1)
      this.#fail('apply order', `${id} applies ${index} after ${node.machineIndex}`)
    node.machineIndex = index
    if (this.#committed[index] !== checksum) {
      this.#fail('state machine safety', `${id} applies entry ${index}, which is not the committed one`)
    }
    if (node.durable[index] !== checksum) {
      this.#fail('apply what is durable', `${id} applies entry ${index}, which is not on its own disk`)
    }
    const outcome = outcomeOf(entry, result)
    const known = this.#applied[index]
    if (known === undefined) {
      this.#applied[index] = { outcome, hash }
    } else {
      if (known.outcome !== outcome) {
        this.#fail('state machine safety', `${id} gets ${outcome} of entry ${index}, others ${known.outcome}`)
      }
      if (known.hash !== hash) this.#fail('equal state', `${id} has another state after entry ${index}`)
    }
  }

  /** A snapshot's state is put in force: the same as all have at that entry, and the log says so already. */
  installed(id: NodeId, { index, checksum }: LogPosition, hash: string): void {
    this.steps++
    this.installs++
    const node = this.shadows.get(id)!
    if (this.#committed[index] !== checksum) {
      this.#fail(
        'state machine safety',
        `${id} takes a snapshot of entry ${index}, which is not the committed one`,
      )
    }
    if (node.boundaryIndex < index || node.durable[index] !== checksum) {
      this.#fail(
        'one batch makes it count',
        `${id} puts a snapshot in force before its log on disk begins there`,
      )
    }
    if (index <= node.machineIndex) {
      this.#fail(
        'state machine safety',
        `${id} goes back from ${node.machineIndex} to a snapshot of ${index}`,
      )
    }
    const known = this.#applied[index]
    if (known !== undefined && known.hash !== hash) {
      this.#fail('equal state', `${id} has another state after the snapshot of entry ${index}`)
    }
    node.machineIndex = index
  }

  checkpointWritten(id: NodeId, index: LogIndex): void {
    const node = this.shadows.get(id)!
    // One that was on its way when a snapshot took the place of its store counts for nothing any more.
    node.checkpointIndex = Math.max(node.checkpointIndex, index)
  }

  // ---- the rules ----

  /** The log is to begin behind a snapshot: what it committed is in it, what it acknowledged too, or contradicts it. */
  #reset(node: Shadow, { boundary, keepSuffix }: LogReset): void {
    const { index, checksum } = boundary
    if (index <= node.commitIndex) {
      this.#fail(
        'committed entries stay',
        `${node.id} goes back to ${index}, committed are ${node.commitIndex}`,
      )
    }
    if (keepSuffix !== (node.log[index] === checksum)) {
      const what = keepSuffix ? 'keeps what contradicts' : 'drops what follows'
      this.#fail('snapshots', `${node.id} ${what} the snapshot of entry ${index}`)
    }
    if (keepSuffix) return
    const before = node.log
    node.log = this.#tree.path(index, checksum, before.slice())
    // What contradicts it was never committed; of the rest, nothing may be forgotten.
    let kept = node.promised.index
    while (node.log[kept] !== before[kept]) kept--
    node.promised = { index: kept, checksum: node.log[kept]! }
  }

  /** Where the log begins on disk: no further than the checkpoint beside it, or where a snapshot says. */
  #begins(node: Shadow, { boundary, stateDirectory }: LogState): void {
    if (stateDirectory !== node.stateDirectory) {
      node.stateDirectory = stateDirectory
      node.checkpointIndex = boundary.index
    } else if (boundary.index > node.checkpointIndex) {
      this.#fail(
        'compaction',
        `the log of ${node.id} begins behind ${boundary.index}, its checkpoint is ${node.checkpointIndex}`,
      )
    }
    node.boundaryIndex = boundary.index
  }

  #written(node: Shadow, entries: readonly LogEntry[], view: NodeView): void {
    const first = entries[0]!.index
    if (view.role === 'leader' && first !== node.log.length) {
      this.#fail('leader append-only', `${node.id} overwrites entry ${first} of ${node.log.length - 1}`)
    }
    if (first <= node.commitIndex) {
      this.#fail(
        'committed entries stay',
        `${node.id} replaces entry ${first}, committed are ${node.commitIndex}`,
      )
    }
    if (node.promised.index >= first) {
      node.promised = { index: first - 1, checksum: node.log[first - 1]! }
    }
    let before = node.log[first - 1]
    node.log.length = first
    for (const entry of entries) {
      if (view.role === 'leader' && entry.term !== view.term) {
        this.#fail('leader append-only', `${node.id} appends an entry of term ${entry.term} in ${view.term}`)
      }
      this.#tree.add(entry, before)
      node.log.push(entry.checksum)
      before = entry.checksum
    }
  }

  /** Election safety and leader completeness. */
  #leads(node: Shadow, view: NodeView): void {
    const known = this.leaders.get(view.term)
    if (known !== undefined && known !== node.id) {
      this.#fail('election safety', `${known} and ${node.id} lead term ${view.term}`)
    }
    this.leaders.set(view.term, node.id)
    // Late votes can make a leader of a term that others have left behind: what they committed it need not have.
    let last = this.committedIndex
    while (this.#committedIn[last]! >= view.term) last--
    if (node.log[last] !== this.#committed[last]) {
      this.#fail('leader completeness', `${node.id} leads term ${view.term} without committed entry ${last}`)
    }
  }

  /** What a node takes for committed is on a majority of disks, and the same everywhere. */
  #commits(node: Shadow, index: LogIndex): void {
    const checksum = node.log[index]!
    const known = this.#committed[index]
    if (known !== undefined) {
      if (known !== checksum) this.#fail('state machine safety', `${node.id} commits another entry ${index}`)
      return
    }
    let holders = 0
    for (const other of this.shadows.values()) if (other.durable[index] === checksum) holders++
    if (holders < this.#majority) {
      this.#fail('commit', `${node.id} commits entry ${index}, which ${holders} disks hold`)
    }
    for (const other of this.shadows.values()) {
      if (other.role === 'leader' && other.term > node.term && other.log[index] !== checksum) {
        this.#fail('leader completeness', `${other.id}, which leads term ${other.term}, lacks entry ${index}`)
      }
    }
    this.#committed[index] = checksum
    this.#committedIn[index] = node.term
  }

  /** A leader counts only for entries of its own term; those before it are committed with it (§3.6.2). */
  #checkCommitRule({ id, log, term, commitIndex }: Shadow): void {
    const own = this.#tree.termOf(commitIndex, log[commitIndex]!)
    if (own !== term) {
      this.#fail(
        'commit',
        `${id}, which leads term ${term}, commits entry ${commitIndex} of term ${own} by counting`,
      )
    }
  }

  #promises(node: Shadow, term: Term, vote: NodeId | undefined): void {
    if (term > node.promisedTerm) {
      node.promisedTerm = term
      node.promisedVote = vote
    } else if (term === node.promisedTerm) {
      node.promisedVote ??= vote
    }
  }

  #acknowledges(node: Shadow, index: LogIndex): void {
    const checksum = node.durable[index]
    if (checksum === undefined) {
      this.#fail('promises kept', `${node.id} acknowledges entry ${index} before it is on its disk`)
    } else if (index > node.promised.index && node.log[index] === checksum) {
      node.promised = { index, checksum }
    }
  }

  #fail(rule: string, what: string): void {
    this.#broken(rule, what)
  }
}

function outcomeOf(entry: LogEntry, result: ApplyResult): string {
  if ('refused' in result) return result.refused
  const kind = entry.kind === EntryKind.Command ? 'result' : 'done'
  return `${kind} ${result.revision} ${result.succeeded} ${result.session}`
}
