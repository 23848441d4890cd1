import { textOf } from './entries.ts'
import type { Input, LogEntry, Message, Output, Write } from '../../../src/raft/types.ts'
import type { ModelServer, ServerObserver } from './server.ts'

/** A message in a few words. `3/1` is the entry, or position, of index 3 and term 1. */
export function describeMessage(message: Message): string {
  const what = `${message.type} term ${message.term}`
  switch (message.type) {
    case 'preVote':
    case 'vote':
      return `${what}, last ${message.lastLogIndex}/${message.lastLogTerm}`
    case 'preVoteReply':
    case 'voteReply':
      return `${what}, ${message.granted ? 'granted' : 'refused'}`
    case 'append': {
      const { prevLogIndex, prevLogTerm, entries, leaderCommit } = message
      return `${what}, after ${prevLogIndex}/${prevLogTerm} ${list(entries)}, leaderCommit ${leaderCommit}`
    }
    case 'appendReply': {
      const { success, matchIndex, conflictIndex, conflictTerm } = message
      if (success) return `${what}, matches up to ${matchIndex}`
      return `${what}, does not fit after ${matchIndex}, may agree up to ${conflictIndex}/${conflictTerm}`
    }
    case 'heartbeat':
      return `${what}, leaderCommit ${message.leaderCommit}, reads ${message.readContext}`
    case 'heartbeatReply':
      return `${what}, reads ${message.readContext}`
  }
}

function list(entries: readonly LogEntry[]): string {
  if (entries.length === 0) return '[]'
  return `[${entries.map((entry) => `${entry.index}/${entry.term} ${textOf(entry)}`).join(', ')}]`
}

function describeWrite({ hardState, entries }: Write): string {
  const parts = []
  if (hardState !== undefined) {
    parts.push(`term ${hardState.currentTerm}, vote ${hardState.votedFor ?? 'for nobody'}`)
  }
  if (entries.length > 0) parts.push(list(entries))
  return parts.join(', ')
}

/** How a server stands, in a line. */
export function describeServer(server: ModelServer): string {
  if (!server.up) return `${server.id} is down`
  const { role, term, leader, commitIndex, lastApplied, persistedIndex, followers } = server.view
  const log = server.log.map((entry) => entry.term).join(' ')
  const values = [...server.values].map(([key, value]) => `${key}=${value}`).join(' ')
  const known = followers.map(
    ({ id, state, matchIndex, nextIndex }) => `${id} ${state} ${matchIndex} < ${nextIndex}`,
  )
  return [
    `${server.id} ${role}, term ${term}, leader ${leader ?? 'unknown'}`,
    `log [${log}] on disk ${persistedIndex}`,
    `commitIndex ${commitIndex}, lastApplied ${lastApplied}`,
    `{${values}}`,
    ...known,
  ].join('; ')
}

/** Says in lines, one after the other, what every server does. */
export class Narrator implements ServerObserver {
  #lines: string[] = []
  readonly #commits = new Map<string, number>()

  /** What has been said since this was asked last. */
  take(): string[] {
    const lines = this.#lines
    this.#lines = []
    return lines
  }

  say(line: string): void {
    this.#lines.push(line)
  }

  /** A server starts again, from its disk. */
  started(server: ModelServer): void {
    this.#commits.set(server.id, server.view.commitIndex)
    this.say(describeServer(server))
  }

  send(message: Message): void {
    this.say(`${message.from} → ${message.to} ${describeMessage(message)}`)
  }

  stepped(server: ModelServer, input: Input, output: Output): void {
    const { id, view } = server
    if (input.type === 'message') this.say(`${id} ← ${input.message.from} ${describeMessage(input.message)}`)
    if (output.status !== undefined) {
      const { role, term, leader } = output.status
      this.say(`${id} is ${role}, term ${term}, leader ${leader ?? 'unknown'}`)
    }
    if (output.proposed !== undefined) {
      const { first, count, term } = output.proposed
      this.say(`${id} appends ${count} at ${first}/${term}`)
    } else if (input.type === 'propose') {
      this.say(`${id} does not lead: refused`)
    }
    if (output.write !== undefined)
      this.say(`${id} writes #${output.write.id}: ${describeWrite(output.write)}`)
    if (view.commitIndex !== (this.#commits.get(id) ?? 0)) this.say(`${id} commitIndex ${view.commitIndex}`)
    this.#commits.set(id, view.commitIndex)
    for (const fetch of output.fetches) {
      this.say(`${id} reads ${fetch.from} to ${fetch.upTo} from disk, to ${fetch.purpose} (${fetch.to})`)
    }
    for (const read of output.reads) this.say(`${id} serves read ${read} at ${server.machineIndex}`)
    for (const read of output.refusedReads) this.say(`${id} refuses read ${read}`)
    if (server.pendingWrites.length > 0 && !server.auto.persist) {
      for (const message of output.messagesAfterWrite) {
        this.say(`${id} holds for its disk: → ${message.to} ${describeMessage(message)}`)
      }
    }
  }

  persisted(server: ModelServer, writes: readonly Write[]): void {
    this.say(`${server.id} has #${writes.at(-1)!.id} on disk`)
  }

  applied(server: ModelServer, entry: LogEntry): void {
    this.say(`${server.id} applies ${entry.index}/${entry.term} ${textOf(entry)}`)
  }
}
