import { pino } from 'pino'
import type { Reads } from '../../src/maelstrom/key-value.ts'
import { MaelstromNode } from '../../src/maelstrom/node.ts'
import type { Body, Envelope } from '../../src/maelstrom/protocol.ts'
import { ManualClock } from '../client/manual-clock.ts'

const SILENT = pino({ level: 'silent' })
export const ELECTION_MS = 500

/** Nodes in this process, on a clock that is moved by hand and a network that loses nothing but what is cut. */
export class Nodes {
  readonly clock = new ManualClock()
  readonly ids: readonly string[]
  readonly nodes = new Map<string, MaelstromNode>()
  /** What was said to anybody who is no node, in order. */
  readonly answers: Envelope[] = []
  /** Whether a message gets through. */
  passes: (envelope: Envelope) => boolean = () => true
  #lastId = 0

  constructor(count: number, reads: Reads = 'index') {
    this.ids = Array.from({ length: count }, (_, index) => `n${index}`)
    for (const id of this.ids) this.nodes.set(id, this.#newNode(reads))
  }

  /** Starts them, and waits until each follows the same leader. Returns its id, and another's. */
  async start(): Promise<{ leader: string; follower: string }> {
    for (const id of this.ids) this.ask(id, { type: 'init', node_id: id, node_ids: this.ids })
    await this.clock.settle()
    for (let tries = 0; tries < 20; tries++) {
      await this.clock.advance(ELECTION_MS / 2)
      const leader = this.leader
      const follower = this.ids.find((id) => id !== leader)
      if (leader !== undefined) return { leader, follower: follower ?? leader }
    }
    throw new Error('no leader was elected')
  }

  /** Whom all of them follow; undefined: they do not agree. */
  get leader(): string | undefined {
    const known = new Set([...this.nodes.values()].map((node) => node.status?.leader))
    return known.size === 1 ? [...known][0] : undefined
  }

  /** Sends a request, and returns its number. */
  ask(id: string, body: Body): number {
    const msg_id = ++this.#lastId
    this.send({ src: 'c1', dest: id, body: { ...body, msg_id } })
    return msg_id
  }

  /** Asks, and waits for so long. Resolves to the reply; undefined: there is none yet. */
  async reply(id: string, body: Body, milliseconds = 100): Promise<Body | undefined> {
    const request = this.ask(id, body)
    await this.clock.advance(milliseconds)
    return this.replyTo(request)
  }

  replyTo(request: number): Body | undefined {
    const found = this.answers.filter(({ body }) => body.in_reply_to === request)
    if (found.length > 1) throw new Error(`request ${request} has ${found.length} replies`)
    return found[0]?.body
  }

  send(envelope: Envelope): void {
    void this.nodes.get(envelope.dest)!.receive(envelope)
  }

  /** As a crash would: what it knew is gone. */
  restart(id: string): void {
    this.nodes.set(id, this.#newNode('index'))
    this.ask(id, { type: 'init', node_id: id, node_ids: this.ids })
  }

  #newNode(reads: Reads): MaelstromNode {
    const node = new MaelstromNode({
      settings: { reads, heartbeatMs: 50, electionMs: ELECTION_MS },
      clock: this.clock,
      logger: SILENT,
      send: (envelope) => {
        if (this.nodes.get(envelope.src) !== node) return
        if (!this.nodes.has(envelope.dest)) this.answers.push(envelope)
        else if (this.passes(envelope)) this.clock.soon(() => this.send(envelope))
      },
    })
    return node
  }
}
