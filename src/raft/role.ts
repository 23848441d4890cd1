import type { Message, Role } from './types.ts'

/** What a role makes of what happened: the role that the node takes next. Undefined: it stays. */
export type Transition = 'follower' | 'preCandidate' | 'candidate' | 'leader' | undefined

/** How a node behaves in a role. Terms are compared before a message gets here: it is of the current term. */
export interface RoleBehaviour {
  readonly role: Role
  tick(): Transition
  receive(message: Message): Transition
  /** Writes up to this id are on disk. */
  persisted(writeId: number): Transition
  /** Whether a leader is alive, so that nobody needs an election (§4.2.3, §6.2). */
  followsLiveLeader(): boolean
  /** The role ends. */
  leave(): void
}
