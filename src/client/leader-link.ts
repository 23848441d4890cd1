import type { Clock, Timer } from '../clock.ts'
import { type LeaderHint, UnavailableError } from '../errors.ts'
import type { ServerHello, ServerResponse } from '../wire/frames.ts'
import { Backoff } from './backoff.ts'
import type { Connector } from './connector.ts'
import type { Directory, Target } from './directory.ts'
import { NodeStream, type NodeStreamEvents } from './node-stream.ts'

export interface LinkEvents {
  /** Requests may be sent now that had to wait. */
  ready(): void
  answered(stream: NodeStream, responses: readonly ServerResponse[]): void
  /** What was sent on this stream will not be answered on it. */
  lost(stream: NodeStream, error: Error): void
  /** Whether somebody waits for a stream that does not stand. */
  wanted(): boolean
}

/**
 * Keeps a stream to the leader, as far as somebody needs one. A round goes over the endpoints until a node says
 * that it leads, or where the leader is; a hint is followed at once, each term's only once a round, so that two
 * nodes that point at each other end the round and not the processor. After a round that found nobody there is a
 * pause. The stream in use is given up only for one that is better: a follower's goes on answering stale reads.
 */
export class LeaderLink implements NodeStreamEvents {
  readonly #directory: Directory
  readonly #connector: Connector
  readonly #clock: Clock
  readonly #silenceMs: number
  readonly #events: LinkEvents
  readonly #backoff: Backoff
  #current: NodeStream | undefined
  #dialing: NodeStream | undefined
  #plan: Target[] = []
  /** The newest term whose leader was looked for in this round. */
  #term = -1
  /** The pause between rounds, or after a refusal. */
  #pause: Timer | undefined
  #clusterId: Uint8Array = new Uint8Array(0)
  #problem: Error | undefined
  #closed = false

  /** @param random in [0, 1): the jitter of the pauses. @param silenceMs how long a node may owe an answer. */
  constructor(
    directory: Directory,
    connector: Connector,
    clock: Clock,
    random: () => number,
    silenceMs: number,
    events: LinkEvents,
  ) {
    this.#directory = directory
    this.#connector = connector
    this.#clock = clock
    this.#backoff = new Backoff(random)
    this.#silenceMs = silenceMs
    this.#events = events
  }

  /** The stream in use: the leader's where it is `serving`, else good for stale reads only. */
  get current(): NodeStream | undefined {
    return this.#current
  }

  /** Why there is no stream to a leader; undefined where there is one. */
  get problem(): Error | undefined {
    return this.#current?.serving ? undefined : this.#problem
  }

  /** Somebody needs a stream that does not stand: looks for one, unless that is under way. */
  seek(): void {
    if (this.#closed || this.#dialing !== undefined || this.#pause !== undefined) return
    this.#term = -1
    this.#plan = this.#directory.round()
    this.#next()
  }

  /** A node answered as it should. */
  served(stream: NodeStream): void {
    stream.proven = true
    if (!stream.serving) return
    this.#backoff.reset()
    this.#term = -1
  }

  /** The node said that it cannot serve this: it does not lead, or there is no leader. */
  refused(stream: NodeStream, error: Error, leader: LeaderHint | undefined): void {
    if (stream !== this.#current) return
    stream.serving = false
    this.#problem = error
    if (leader !== undefined && this.#follow(leader, stream.target)) {
      if (this.#dialing === undefined) this.#next()
    } else if (this.#dialing === undefined) {
      this.#rest()
    }
  }

  /** The node is overloaded: nothing is sent to it for a moment. */
  throttle(stream: NodeStream): void {
    if (stream !== this.#current || stream.throttled) return
    stream.throttled = true
    if (this.#dialing === undefined) this.#rest()
  }

  /** The node refused even a stale read, or answered nonsense: some other one may do better, after a pause. */
  drop(stream: NodeStream, error: Error): void {
    if (stream !== this.#current) return
    stream.close()
    stream.proven = false
    this.lost(stream, error, false)
  }

  close(): void {
    this.#closed = true
    this.#pause?.cancel()
    this.#dialing?.close()
    this.#current?.close()
    this.#current = undefined
  }

  // ---- what streams tell ----

  greeted(stream: NodeStream): void {
    const hello = stream.hello!
    const { endpoint, forward } = stream.target
    this.#dialing = undefined
    if (!this.#sameCluster(hello)) {
      this.#problem = new UnavailableError(`${endpoint} belongs to another cluster`)
      stream.close()
      this.#next()
      return
    }
    // What is passed on begins with the hello of the leader at its other end, which is not behind this endpoint.
    if (!forward) this.#directory.met(endpoint, hello.nodeId)
    const { leader } = hello
    const leads = leader !== undefined && leader.id === hello.nodeId && leader.term >= this.#term
    if (leads) {
      this.#plan = []
      this.#promote(stream, true)
      return
    }
    this.#problem = new UnavailableError(
      leader === undefined
        ? `${hello.nodeId} knows no leader`
        : `${hello.nodeId} names ${leader.id} as the leader of term ${leader.term}, which cannot be reached`,
    )
    if (leader !== undefined) this.#follow(leader, stream.target)
    if (this.#current === undefined) this.#promote(stream, false)
    else stream.close()
    this.#next()
  }

  answered(stream: NodeStream, responses: readonly ServerResponse[]): void {
    this.#events.answered(stream, responses)
  }

  drained(): void {
    this.#events.ready()
  }

  lost(stream: NodeStream, error: Error, silent: boolean): void {
    const { endpoint } = stream.target
    const id = stream.hello?.nodeId
    this.#problem = error
    if (silent) this.#blame(stream)
    if (stream === this.#dialing) {
      this.#dialing = undefined
      this.#next()
      return
    }
    if (stream !== this.#current) return
    if (!silent) this.#directory.broke(endpoint, id)
    this.#current = undefined
    // A node that takes the stream and breaks it at once must not keep this client busy.
    if (!stream.proven && this.#dialing === undefined) this.#rest()
    this.#events.lost(stream, error)
  }

  /** Who fell silent. What is passed on and finds nobody is the fault of the leader, not of who passes it on. */
  #blame({ target: { endpoint, leader }, hello }: NodeStream): void {
    if (hello === undefined && leader !== undefined) this.#directory.fellSilent(leader)
    else this.#directory.fellSilent(endpoint, hello?.nodeId ?? this.#directory.idOf(endpoint))
  }

  // ---- rounds ----

  /** Puts the best ways to a leader in front, and the others behind everything else. */
  #follow(leader: LeaderHint, from: Target): boolean {
    if (leader.term <= this.#term) return false
    this.#term = leader.term
    if (this.#directory.isStaleHint(leader.id)) return false
    const { first, last } = this.#directory.waysTo(leader, from)
    this.#plan.unshift(...first)
    this.#plan.push(...last)
    return true
  }

  #next(): void {
    if (this.#closed) return
    if (!this.#events.wanted()) {
      // A stream that was asked for a pause while this one was looked for has to get it, or it rests for good.
      if (this.#current?.throttled) this.#rest()
      return
    }
    const target = this.#plan.shift()
    if (target === undefined) {
      this.#rest()
      return
    }
    this.#dialing = new NodeStream(
      target,
      this.#connector,
      this.#clock,
      this.#directory.patience(target.endpoint, this.#silenceMs),
      this.#clusterId,
      this,
    )
  }

  #rest(): void {
    if (this.#pause !== undefined) return
    this.#pause = this.#clock.after(this.#backoff.next(), () => {
      this.#pause = undefined
      if (this.#current !== undefined) this.#current.throttled = false
      this.#events.ready()
      if (this.#events.wanted()) this.seek()
    })
  }

  #promote(stream: NodeStream, serving: boolean): void {
    const before = this.#current
    this.#current = stream
    stream.serving = serving
    if (before !== undefined) {
      before.close()
      this.#events.lost(before, new UnavailableError(`${before.target.endpoint} does not lead any more`))
    }
    this.#events.ready()
  }

  /** The first node decides which cluster this client belongs to: sessions mean nothing in another. */
  #sameCluster(hello: ServerHello): boolean {
    if (this.#clusterId.length === 0) this.#clusterId = Uint8Array.from(hello.clusterId)
    return Buffer.compare(this.#clusterId, hello.clusterId) === 0
  }
}
