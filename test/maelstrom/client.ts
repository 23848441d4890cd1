import { MaelstromError } from '../../src/maelstrom/protocol.ts'
import type { Body } from '../../src/maelstrom/protocol.ts'
import type { Network } from './network.ts'

/** What became of a request: its reply, or nothing in time. */
export type Reply = Body | undefined

/** Errors by which the operation certainly did not happen. */
export const DEFINITE: ReadonlySet<unknown> = new Set([
  MaelstromError.NotSupported,
  MaelstromError.TemporarilyUnavailable,
  MaelstromError.MalformedRequest,
  MaelstromError.Abort,
  MaelstromError.KeyDoesNotExist,
  MaelstromError.PreconditionFailed,
])

/** A client of one node. Replies that come too late are ignored, as Maelstrom's clients do. */
export class Client {
  readonly id: string
  readonly node: string
  readonly #network: Network
  readonly #timeoutMs: number
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  /** Requests of which the replies are counted: each may have one. */
  readonly #replies = new Map<number, number>()
  #lastId = 0

  constructor(id: string, node: string, network: Network, timeoutMs: number) {
    this.id = id
    this.node = node
    this.#network = network
    this.#timeoutMs = timeoutMs
    network.addClient(id, ({ body }) => this.#received(body))
  }

  /** Requests that got more than one reply, and replies to what was never asked. */
  get wrongReplies(): number {
    let wrong = 0
    for (const [request, count] of this.#replies) if (count > 1 || request > this.#lastId) wrong++
    return wrong
  }

  ask(body: Body): Promise<Reply> {
    const id = ++this.#lastId
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(undefined), this.#timeoutMs)
      const settle = (reply: Reply): void => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(reply)
      }
      this.#waiting.set(id, settle)
      this.#network.send({ src: this.id, dest: this.node, body: { ...body, msg_id: id } })
    })
  }

  #received(body: Body): void {
    const request = body.in_reply_to ?? Infinity
    this.#replies.set(request, (this.#replies.get(request) ?? 0) + 1)
    this.#waiting.get(request)?.(body)
  }
}
