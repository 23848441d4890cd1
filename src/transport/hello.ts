import type { NodeId } from '../raft/types.ts'
import type { Hello } from '../wire/message.ts'
import type { PeerIdentity } from './transport.ts'

/** The versions of the peer protocol that a node can speak, both ends included. */
export interface ProtocolRange {
  readonly min: number
  readonly max: number
}

/** What this build speaks. */
export const PEER_PROTOCOL: ProtocolRange = Object.freeze({ min: 1, max: 1 })

/** What a node says of itself in its Hello. */
export interface LocalIdentity extends PeerIdentity {
  readonly clusterId: Uint8Array
  readonly protocol: ProtocolRange
}

/** Who dialled finds out whether it reached whom it meant; who was dialled, whether it knows who calls. */
export type Expected =
  | { readonly role: 'dialer'; readonly id: NodeId; readonly address: string }
  | { readonly role: 'acceptor'; readonly peers: ReadonlyMap<NodeId, string> }

/** The Hello of `self` to the node `to`; with `refusal`, the last thing that it says on that stream. */
export function helloTo(self: LocalIdentity, to: NodeId, refusal = ''): Hello {
  return {
    protocolMin: self.protocol.min,
    protocolMax: self.protocol.max,
    clusterId: self.clusterId,
    from: self.id,
    incarnation: self.incarnation,
    to,
    features: [],
    clientAddress: self.clientAddress,
    refusal,
  }
}

/**
 * Why these two must not talk, and what to do about it, in words that make sense to a reader of either node's
 * log; undefined where nothing is wrong. What is wrong with the whole deployment comes before what is wrong
 * with an address.
 */
export function findMismatch(self: LocalIdentity, hello: Hello, expected: Expected): string | undefined {
  const { min, max } = self.protocol
  if (hello.protocolMin > max || hello.protocolMax < min) {
    const theirs = `${named(hello.from)} speaks ${range(hello.protocolMin, hello.protocolMax)} of the peer protocol`
    const ours = `${self.id} speaks ${range(min, max)} of the peer protocol`
    return `${inOrder(theirs, ours)}: run releases of Balsa that have a version in common`
  }
  if (Buffer.compare(hello.clusterId, self.clusterId) !== 0) {
    const theirs = `${named(hello.from)} is of cluster ${short(hello.clusterId)}`
    const ours = `${self.id} is of cluster ${short(self.clusterId)}`
    return (
      `${inOrder(theirs, ours)}: start both with the same cluster name and the same list of peers, ` +
      'or correct the address that leads to another cluster'
    )
  }
  if (hello.from === self.id) {
    return (
      `${self.id} met a node that calls itself ${self.id} too: ` +
      'give every node its own id, and check that no address in the list of peers leads back to the node itself'
    )
  }
  if (expected.role === 'dialer' && hello.from !== expected.id) {
    return (
      `at ${expected.address} ${self.id} expected ${expected.id} and found ${named(hello.from)}: ` +
      'correct the addresses in the list of peers'
    )
  }
  if (hello.to !== self.id) {
    return (
      `${named(hello.from)} was looking for ${named(hello.to)} and reached ${self.id}: ` +
      'correct the addresses in the list of peers'
    )
  }
  if (expected.role === 'acceptor' && !expected.peers.has(hello.from)) {
    return (
      `${named(hello.from)} is not in ${self.id}'s list of peers ` +
      `(${[...expected.peers.keys()].join(', ') || 'which is empty'}): start all nodes with the same list`
    )
  }
  return undefined
}

/** Both nodes come upon the same mismatch, and say it in the same words, so that it is reported once. */
function inOrder(a: string, b: string): string {
  return a < b ? `${a}, ${b}` : `${b}, ${a}`
}

function named(id: NodeId): string {
  return id === '' ? 'a node without a name' : id
}

function range(min: number, max: number): string {
  return min === max ? `version ${min}` : `versions ${min} to ${max}`
}

function short(clusterId: Uint8Array): string {
  return clusterId.length === 0 ? '(none)' : Buffer.from(clusterId).toString('hex').slice(0, 12)
}
