import type { Clock, Timer } from '../clock.ts'
import type { NodeId, RoleStatus } from '../raft/types.ts'
import type { KvFront } from '../server/kv-front.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import { execute, parseStoreRequest } from './key-value.ts'
import type { Reads, StoreRequest } from './key-value.ts'
import { errorBody, errorOf, isBody, MaelstromError, MalformedRequest } from './protocol.ts'
import type { Body } from './protocol.ts'

/** The types of the bodies by which a node asks the leader. */
export const FORWARD = 'forward'
const FORWARDED = 'forward_ok'
const NOT_LEADING = 'forward_refused'

/** How long the leader may take to answer, in milliseconds: longer than anybody waits. */
const FORWARD_MS = 10_000

/** How many leaders are tried. */
const MOST_TRIES = 4

export interface RouterParts {
  readonly self: NodeId
  readonly front: KvFront
  /** Role, term and leader as this node knows them. */
  readonly status: () => RoleStatus
  readonly reads: Reads
  readonly clock: Clock
  /** How long a request may wait for somebody to lead, in milliseconds. */
  readonly patienceMs: number
  readonly send: (to: NodeId, body: Body) => void
}

/** A request of a client on its way to whoever leads. */
interface Call {
  readonly body: Body
  readonly request: StoreRequest
  readonly done: (answer: Body) => void
  readonly deadline: number
  tries: number
}

interface Forwarded {
  readonly call: Call
  readonly leader: NodeId
  readonly timer: Timer
}

/**
 * Brings requests for the store to the leader: this node, or the one that it knows, one hop away. Where none is known
 * a request waits a moment for an election to end.
 *
 * A request is tried again only where it was certainly not executed, or is a read: nothing tells the second copy of a
 * write from the first.
 */
export class Router {
  readonly #parts: RouterParts
  /** They wait for a leader. */
  readonly #held = new Map<Call, Timer>()
  /** By the number of the message that asked for them. */
  readonly #forwarded = new Map<number, Forwarded>()
  #lastId = 0
  #closed = false

  constructor(parts: RouterParts) {
    this.#parts = parts
  }

  /** A client asks. `done` is called once, with the answer. Throws MalformedRequest. */
  submit(body: Body, done: (answer: Body) => void): void {
    const request = parseStoreRequest(body)
    const { clock, patienceMs, front, reads } = this.#parts
    if (request.type === 'read' && reads === 'local') {
      execute(front, request, reads, { answer: done, fail: (detail) => done(errorOf(detail)) })
    } else {
      this.#route({ body, request, done, deadline: clock.now() + patienceMs, tries: 0 })
    }
  }

  /** Another node asks on behalf of a client: this node answers by itself, or says that it does not lead. Throws MalformedRequest. */
  serve({ request }: Body, done: (answer: Body) => void): void {
    if (!isBody(request)) throw new MalformedRequest(`a ${FORWARD} needs "request"`)
    const { front, reads } = this.#parts
    execute(front, parseStoreRequest(request), reads, {
      answer: (answer) => done({ type: FORWARDED, answer }),
      fail: (detail) => {
        done(movedOn(detail) ? { type: NOT_LEADING } : { type: FORWARDED, answer: errorOf(detail) })
      },
    })
  }

  /** A reply came in. Those that nobody waits for are ignored. */
  replied(from: NodeId, body: Body): void {
    const forwarded = this.#forwarded.get(body.in_reply_to ?? 0)
    if (forwarded?.leader !== from) return
    this.#forwarded.delete(body.in_reply_to!)
    forwarded.timer.cancel()
    if (body.type === FORWARDED && isBody(body.answer)) forwarded.call.done(body.answer)
    else if (body.type === NOT_LEADING) this.#again(forwarded.call, from)
    else forwarded.call.done(unanswered(forwarded.call, from))
  }

  /** Role, term or leader changed. */
  statusChanged(): void {
    const { leader } = this.#parts.status()
    if (leader === undefined) return
    for (const [call, timer] of [...this.#held]) {
      this.#held.delete(call)
      timer.cancel()
      this.#route(call)
    }
    for (const [id, { call, leader: former, timer }] of [...this.#forwarded]) {
      if (former === leader || call.request.type !== 'read') continue
      this.#forwarded.delete(id)
      timer.cancel()
      this.#route(call)
    }
  }

  /** Answers everything that waits. */
  close(): void {
    this.#closed = true
    for (const [call, timer] of this.#held) {
      timer.cancel()
      call.done(unavailable('this node is stopping'))
    }
    this.#held.clear()
    for (const { call, leader, timer } of this.#forwarded.values()) {
      timer.cancel()
      call.done(unanswered(call, leader))
    }
    this.#forwarded.clear()
  }

  #route(call: Call): void {
    const { self, front, reads } = this.#parts
    const { role, leader } = this.#parts.status()
    if (call.tries >= MOST_TRIES) {
      call.done(unavailable('the leader changed again and again'))
    } else if (role === 'leader') {
      call.tries++
      execute(front, call.request, reads, {
        answer: call.done,
        fail: (detail) => (movedOn(detail) ? this.#again(call, self) : call.done(errorOf(detail))),
      })
    } else if (leader !== undefined) {
      call.tries++
      this.#forward(call, leader)
    } else {
      this.#hold(call)
    }
  }

  #forward(call: Call, leader: NodeId): void {
    const id = ++this.#lastId
    const timer = this.#parts.clock.after(FORWARD_MS, () => {
      this.#forwarded.delete(id)
      call.done(unanswered(call, leader))
    })
    this.#forwarded.set(id, { call, leader, timer })
    this.#parts.send(leader, { type: FORWARD, msg_id: id, request: call.body })
  }

  /** It was not executed, for `by` does not lead (any more). */
  #again(call: Call, by: NodeId): void {
    const { leader } = this.#parts.status()
    if (leader !== undefined && leader !== by && !this.#closed) this.#route(call)
    else this.#hold(call)
  }

  #hold(call: Call): void {
    const { clock } = this.#parts
    const left = call.deadline - clock.now()
    const refusal = unavailable('no leader is known: an election is under way, or no majority is connected')
    if (left <= 0 || this.#closed) {
      call.done(refusal)
      return
    }
    const timer = clock.after(left, () => {
      this.#held.delete(call)
      call.done(refusal)
    })
    this.#held.set(call, timer)
  }
}

/** Certainly not executed, because that node does not lead: another one may be asked. */
function movedOn({ code, notExecuted }: ErrorDetail): boolean {
  return notExecuted && (code === 'NOT_LEADER' || code === 'UNAVAILABLE')
}

function unavailable(text: string): Body {
  return errorBody(MaelstromError.TemporarilyUnavailable, text)
}

/** Whatever became of it: a read has done nothing, a write may have. */
function unanswered({ request }: Call, leader: NodeId): Body {
  const text = `the leader, ${leader}, did not answer`
  return request.type === 'read' ? unavailable(text) : errorBody(MaelstromError.Timeout, text)
}
