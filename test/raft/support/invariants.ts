import assert from 'node:assert/strict'
import { majorityOf } from '../../../src/raft/quorum.ts'
import type { Input, LogEntry, LogIndex, Message, NodeId, Output, Term } from '../../../src/raft/types.ts'
import { applyTo } from './server.ts'
import type { ModelServer } from './server.ts'

interface Seen {
  term: Term
  commitIndex: LogIndex
  lastApplied: LogIndex
}

/**
 * The guarantees of Figure 3.2 and what they stand on, checked after every step over all servers at once. It
 * believes no server: what is committed it works out from what is on the disks.
 */
export class Invariants {
  /** Steps that were checked. */
  steps = 0
  readonly #servers: ReadonlyMap<NodeId, ModelServer>
  readonly #leaders = new Map<Term, NodeId>()
  /** The checksum of each entry ever written, by index and term. */
  readonly #checksums = new Map<string, number>()
  /** The committed log, as far as any server knows it. */
  readonly #committed: LogEntry[] = []
  /** In which term each entry of it was committed. */
  readonly #committedIn: Term[] = []
  readonly #votes = new Map<string, NodeId>()
  readonly #seen = new Map<NodeId, Seen>()
  /** Reads under way, with the index that each of them must see. */
  readonly #reads = new Map<string, LogIndex>()
  /** The last index whose effect somebody outside has seen. */
  #observed: LogIndex = 0

  constructor(servers: ReadonlyMap<NodeId, ModelServer>) {
    this.#servers = servers
  }

  get committed(): readonly LogEntry[] {
    return this.#committed
  }

  /** A server starts: what it knew in memory is gone, its disk is not. */
  started(server: ModelServer): void {
    this.#seen.delete(server.id)
    for (const key of this.#reads.keys()) if (key.startsWith(`${server.id}:`)) this.#reads.delete(key)
    for (const entry of server.disk.entries) this.#checkMatching(server, entry)
    const { boundary, checkpoint } = server.disk
    assert.ok(
      boundary.index <= checkpoint.applied,
      `${server.id}: the log is cut ahead of the checkpoint on disk`,
    )
  }

  stepped(server: ModelServer, input: Input, output: Output): void {
    this.steps++
    const { id, view, log } = server
    const before = this.#seen.get(id)
    const entries = output.write?.entries ?? []

    for (const entry of entries) this.#checkMatching(server, entry)
    assert.equal(view.lastIndex, log.length, `${id}: its log ends elsewhere than its writes`)
    this.#checkLeader(server, entries)

    assert.ok(view.term >= (before?.term ?? server.disk.hardState.currentTerm), `${id}: the term went back`)
    assert.ok(view.commitIndex >= (before?.commitIndex ?? 0), `${id}: commitIndex went back`)
    assert.ok(view.lastApplied >= (before?.lastApplied ?? 0), `${id}: lastApplied went back`)
    assert.ok(view.lastApplied <= view.commitIndex, `${id}: lastApplied passed commitIndex`)
    this.#checkCounted(server, before?.commitIndex ?? 0)
    this.#checkCommitted(server, before?.commitIndex ?? 0)
    this.#seen.set(id, { term: view.term, commitIndex: view.commitIndex, lastApplied: view.lastApplied })

    for (const entry of output.apply) this.#checkApplied(server, entry)
    this.#checkReads(server, input, output)
  }

  /** What a snapshot brought is what everybody committed. */
  installed(server: ModelServer): void {
    const { id, machineIndex, disk } = server
    const known = this.#committed[machineIndex - 1]
    assert.equal(
      disk.boundary.checksum,
      known?.checksum,
      `${id} installs what is not committed at ${machineIndex}`,
    )
    const values = new Map<string, string>()
    for (const entry of this.#committed.slice(0, machineIndex)) applyTo(values, entry)
    assert.deepEqual(server.values, values, `${id} installs another state than that of entry ${machineIndex}`)
  }

  /** A client saw the answer to the write at `index`. */
  acknowledged(index: LogIndex): void {
    this.#observed = Math.max(this.#observed, index)
  }

  /** Nothing is promised that the sender's disk does not hold (§3.8). */
  sent(server: ModelServer, message: Message): void {
    const { hardState, entries } = server.disk
    const { from, to, term, type } = message
    if (type === 'voteReply' && message.granted) {
      const before = this.#votes.get(`${from}:${term}`)
      assert.ok(
        before === undefined || before === to,
        `${from} voted for ${before} and ${to} in term ${term}`,
      )
      this.#votes.set(`${from}:${term}`, to)
    }
    const vote = type === 'vote' ? from : type === 'voteReply' && message.granted ? to : undefined
    if (vote !== undefined) {
      const kept = hardState.currentTerm === term ? hardState.votedFor === vote : hardState.currentTerm > term
      assert.ok(kept, `${from} promises its vote of term ${term} to ${vote} before it is on disk`)
    }
    if (type === 'appendReply' && message.success && hardState.currentTerm <= term) {
      assert.equal(hardState.currentTerm, term, `${from} acknowledges in a term that is not on its disk`)
      assert.ok(
        entries.length >= message.matchIndex,
        `${from} acknowledges ${message.matchIndex} before it is on disk`,
      )
    }
  }

  /** Log matching: an entry of an index and term is the same everywhere, and so is all before it. */
  #checkMatching(server: ModelServer, { index, term, checksum }: LogEntry): void {
    const key = `${index}:${term}`
    const known = this.#checksums.get(key) ?? checksum
    assert.equal(checksum, known, `log matching: ${server.id} holds another entry ${index} of term ${term}`)
    this.#checksums.set(key, checksum)
  }

  /** Election safety, leader append-only, leader completeness. */
  #checkLeader({ id, view, log }: ModelServer, written: readonly LogEntry[]): void {
    if (view.role !== 'leader') return
    const known = this.#leaders.get(view.term)
    assert.ok(
      known === undefined || known === id,
      `election safety: ${known} and ${id} lead term ${view.term}`,
    )
    if (known === undefined) {
      this.#leaders.set(view.term, id)
      this.#checkElected(id, view.term)
      for (const entry of this.#committed) {
        // Who wins an old election late leads in vain, and need not hold what later terms committed.
        if (this.#committedIn[entry.index - 1]! >= view.term) continue
        const own = log[entry.index - 1]
        assert.equal(own?.checksum, entry.checksum, `leader completeness: ${id} lacks entry ${entry.index}`)
      }
    }
    if (written.length > 0) {
      const first = log.length - written.length + 1
      assert.equal(written[0]!.index, first, `leader append-only: ${id} overwrote entries`)
      for (const { term } of written) assert.equal(term, view.term, `${id} appended an entry of another term`)
    }
  }

  /** A majority has voted for it in this term, and each voter's disk says so (§3.4). */
  #checkElected(id: NodeId, term: Term): void {
    const voters = [...this.#servers.values()].filter((server) => {
      const { currentTerm, votedFor } = server.disk.hardState
      return currentTerm === term ? votedFor === id : this.#votes.get(`${server.id}:${term}`) === id
    })
    assert.ok(
      voters.length > this.#servers.size / 2,
      `election safety: ${id} leads term ${term} with ${voters.length} votes of ${this.#servers.size}`,
    )
  }

  /** What a leader commits is of its own term, and with it all before (§3.6.2, Figure 3.7). */
  #checkCounted({ id, view, log }: ModelServer, from: LogIndex): void {
    if (view.role !== 'leader' || view.commitIndex === from) return
    const { term } = log[view.commitIndex - 1]!
    assert.equal(
      term,
      view.term,
      `${id} leads term ${view.term} and commits an entry of term ${term} by counting`,
    )
  }

  /** What a server takes for committed is on a majority of disks, for good, and the same everywhere. */
  #checkCommitted({ id, view, log }: ModelServer, from: LogIndex): void {
    for (let index = from + 1; index <= view.commitIndex; index++) {
      const entry = log[index - 1]!
      const known = this.#committed[index - 1]
      if (known !== undefined) {
        assert.equal(entry.checksum, known.checksum, `state machine safety: ${id} committed another ${index}`)
        continue
      }
      const all = [...this.#servers.values()]
      const holders = all.filter(({ disk }) => disk.entries[index - 1]?.checksum === entry.checksum)
      assert.ok(holders.length >= majorityOf(all.length), `${id} committed ${index}, which no majority holds`)
      for (const other of all) {
        if (!other.up || other.view.role !== 'leader' || other.view.term <= view.term) continue
        const own = other.log[index - 1]?.checksum
        assert.equal(own, entry.checksum, `leader completeness: ${other.id} lacks entry ${index}`)
      }
      this.#committed[index - 1] = entry
      this.#committedIn[index - 1] = view.term
    }
  }

  /** State machine safety; and nothing is applied that the server's own disk could lose. */
  #checkApplied(server: ModelServer, entry: LogEntry): void {
    const { id, disk } = server
    const at = server.machineIndex + 1 + server.pendingApply.indexOf(entry)
    assert.equal(entry.index, at, `${id} applies entry ${entry.index} out of order`)
    assert.equal(
      entry.checksum,
      this.#committed[entry.index - 1]?.checksum,
      `${id} applies what is not committed`,
    )
    assert.equal(
      entry.checksum,
      disk.entries[entry.index - 1]?.checksum,
      `${id} applies what is not on its disk`,
    )
  }

  /** A read sees everything that anybody had seen when it began (linearizability). */
  #checkReads(server: ModelServer, input: Input, output: Output): void {
    if (input.type === 'readIndex') this.#reads.set(`${server.id}:${input.id}`, this.#observed)
    for (const id of output.refusedReads) this.#endRead(server, id)
    for (const id of output.reads) {
      const needed = this.#endRead(server, id)
      assert.ok(server.machineIndex >= needed, `read ${id} sees ${server.machineIndex}, not ${needed}`)
      this.acknowledged(server.machineIndex)
    }
  }

  #endRead(server: ModelServer, id: number): LogIndex {
    const needed = this.#reads.get(`${server.id}:${id}`)
    assert.notEqual(needed, undefined, `${server.id} answers read ${id}, which does not wait`)
    this.#reads.delete(`${server.id}:${id}`)
    return needed!
  }
}
