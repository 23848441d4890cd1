import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { StopError } from '../errors.ts'
import type { ReplicaView } from '../server/replica.ts'
import { isForStore } from './key-value.ts'
import type { Reads } from './key-value.ts'
import { newMember } from './member.ts'
import type { Member } from './member.ts'
import { RAFT } from './message-transport.ts'
import { errorBody, MaelstromError, MalformedRequest } from './protocol.ts'
import type { Body, Envelope } from './protocol.ts'
import { FORWARD, Router } from './router.ts'

/** How long what waits may take at the end, in milliseconds. */
const LAST_ANSWERS_MS = 1000

export interface MaelstromSettings {
  readonly reads: Reads
  readonly heartbeatMs: number
  /** Election time-outs are drawn from one to two times this. */
  readonly electionMs: number
}

export interface MaelstromNodeParts {
  readonly settings: MaelstromSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly send: (envelope: Envelope) => void
}

/** What is there once the node knows who it is. */
interface Joined extends Member {
  readonly id: string
  readonly router: Router
}

type Answer = (body: Body) => void

/** A node of Balsa in Maelstrom's network: answers clients, and takes part in the cluster that `init` names. */
export class MaelstromNode {
  readonly #parts: MaelstromNodeParts
  #joined: Joined | undefined
  #unanswered = 0
  #idle: (() => void) | undefined
  #fail!: (error: StopError) => void

  /** Resolves with the reason where the node has to stop. */
  readonly failed = new Promise<StopError>((resolve) => {
    this.#fail = resolve
  })

  constructor(parts: MaelstromNodeParts) {
    this.#parts = parts
  }

  /** What it knows of itself; undefined before its init. */
  get status(): ReplicaView | undefined {
    return this.#joined?.replica.view()
  }

  /** Takes a message. Resolves when the next one may come: after an `init` the replica has to be put together first. */
  async receive({ src, dest, body }: Envelope): Promise<void> {
    const { type, msg_id } = body
    if (body.in_reply_to !== undefined) this.#joined?.router.replied(src, body)
    else if (type === RAFT) this.#joined?.transport.receive(src, body)
    else if (msg_id === undefined) this.#parts.logger.warn({ src, type }, 'a request without msg_id; ignored')
    else {
      const answer = this.#answerTo(src, dest, msg_id)
      try {
        await this.#handle(body, answer)
      } catch (error) {
        if (!(error instanceof MalformedRequest)) throw error
        answer(errorBody(MaelstromError.MalformedRequest, error.message))
      }
    }
  }

  /** Ends it: what waits is answered, if it can be, within a moment. */
  async stop(): Promise<void> {
    const { clock } = this.#parts
    if (this.#unanswered > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(LAST_ANSWERS_MS, resolve)
        this.#idle = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    this.#joined?.router.close()
    await this.#joined?.replica.stop()
  }

  /** The only reply to a request. */
  #answerTo(client: string, self: string, request: number): Answer {
    this.#unanswered++
    return (body) => {
      this.#parts.send({
        src: this.#joined?.id ?? self,
        dest: client,
        body: { ...body, in_reply_to: request },
      })
      this.#unanswered--
      if (this.#unanswered === 0) this.#idle?.()
    }
  }

  async #handle(body: Body, answer: Answer): Promise<void> {
    const { type } = body
    if (type === 'init') return this.#init(body, answer)
    if (type === 'echo') return answer({ type: 'echo_ok', echo: body.echo ?? null })
    const isKnown = type === FORWARD || isForStore(type)
    if (!isKnown) answer(errorBody(MaelstromError.NotSupported, `"${type}" is not supported`))
    else if (this.#joined === undefined) {
      answer(errorBody(MaelstromError.TemporarilyUnavailable, 'this node waits for its init'))
    } else if (type === FORWARD) this.#joined.router.serve(body, answer)
    else this.#joined.router.submit(body, answer)
  }

  async #init({ node_id: id, node_ids: ids }: Body, answer: Answer): Promise<void> {
    if (this.#joined !== undefined) throw new MalformedRequest('this node has had its init')
    if (typeof id !== 'string') throw new MalformedRequest('an init needs "node_id", a text')
    const members = Array.isArray(ids) ? ids.filter((each): each is string => typeof each === 'string') : []
    if (!members.includes(id))
      throw new MalformedRequest('an init needs "node_ids", with this node among them')
    // At once: Maelstrom waits for it before it starts anything else.
    answer({ type: 'init_ok' })
    const { clock, logger, settings } = this.#parts
    const { heartbeatMs, electionMs, reads } = settings
    const send = (dest: string, body: Body): void => this.#parts.send({ src: id, dest, body })
    const member = await newMember({
      ...{ id, members, heartbeatMs, electionMs, clock, logger, send },
      changed: () => this.#joined?.router.statusChanged(),
    })
    const { replica } = member
    // An election takes about so long, and clients wait at least a second.
    const patienceMs = 1.5 * electionMs
    const parts = { self: id, front: replica.front, status: () => replica.status }
    this.#joined = { ...member, id, router: new Router({ ...parts, reads, clock, patienceMs, send }) }
    void replica.stopped.then((error) => error && this.#fail(error))
    await replica.start()
  }
}
