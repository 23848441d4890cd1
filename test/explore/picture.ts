import { textOf } from '../raft/support/entries.ts'
import type { FollowerView } from '../../src/raft/node.ts'
import type { LogIndex, NodeId, Role, Term } from '../../src/raft/types.ts'
import type { ModelServer } from '../raft/support/server.ts'

export interface PictureEntry {
  readonly index: LogIndex
  readonly term: Term
  readonly text: string
  /** How far it has got on this server, as far as this server knows. */
  readonly state: 'in memory' | 'on disk' | 'committed' | 'applied'
}

/** How a server stands at one moment. Of one that is down, what its disk has. */
export interface Picture {
  readonly id: NodeId
  readonly role: Role | 'down'
  readonly term: Term
  readonly votedFor: NodeId | undefined
  readonly leader: NodeId | undefined
  readonly commitIndex: LogIndex | undefined
  readonly lastApplied: LogIndex | undefined
  readonly entries: readonly PictureEntry[]
  readonly values: readonly string[]
  /** A leader's knowledge of the others. */
  readonly followers: readonly FollowerView[]
}

/** Takes a picture of a server. */
export function pictureOf(server: ModelServer): Picture {
  return server.up ? pictureOfRunning(server) : pictureOfDisk(server)
}

function pictureOfRunning(server: ModelServer): Picture {
  const { view } = server
  const entries = server.log.slice(view.firstIndex - 1).map((entry) => {
    const { index, term } = entry
    return { index, term, text: textOf(entry), state: stateOf(index, view) }
  })
  return {
    id: server.id,
    role: view.role,
    term: view.term,
    votedFor: view.hardState.votedFor,
    leader: view.leader,
    commitIndex: view.commitIndex,
    lastApplied: view.lastApplied,
    entries,
    values: [...server.values].map(([key, value]) => `${key}=${value}`),
    followers: view.followers,
  }
}

function stateOf(index: LogIndex, view: ModelServer['view']): PictureEntry['state'] {
  if (index <= view.lastApplied) return 'applied'
  if (index <= view.commitIndex) return 'committed'
  return index <= view.persistedIndex ? 'on disk' : 'in memory'
}

function pictureOfDisk({ id, disk }: ModelServer): Picture {
  const { currentTerm: term, votedFor } = disk.hardState
  const entries = disk.entries.slice(disk.boundary.index).map((entry) => {
    return { index: entry.index, term: entry.term, text: textOf(entry), state: 'on disk' as const }
  })
  const nothing = { leader: undefined, commitIndex: undefined, lastApplied: undefined, followers: [] }
  return { id, role: 'down', term, votedFor, entries, values: [], ...nothing }
}
