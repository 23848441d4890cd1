import type { Link, Network } from './network.ts'
import type { Process } from './process.ts'

/** Something on its way: a frame, or word that the connection begins or ends. */
interface Arrival {
  readonly isFrame: boolean
  run(): void
}

/** A connection between two hosts, from the dialling on. */
export class Connection {
  readonly near: End
  readonly farHost: string
  readonly network: Network
  readonly #patienceMs: number
  far: End | undefined
  #over = false
  #starving = false

  constructor(network: Network, process: Process, host: string, farHost: string, patienceMs: number) {
    this.network = network
    this.farHost = farHost
    this.#patienceMs = patienceMs
    this.near = new End(this, process, host, farHost)
  }

  joins(one: string, other: string): boolean {
    const { host } = this.near
    return (host === one && this.farHost === other) || (host === other && this.farHost === one)
  }

  established(process: Process): End {
    this.far = new End(this, process, this.farHost, this.near.host)
    return this.far
  }

  other(end: End): End | undefined {
    return end === this.near ? this.far : this.near
  }

  /** Nothing passes, one way or both: if that lasts, both ends give up. */
  starve(): void {
    if (this.#starving) return
    this.#starving = true
    this.network.events.after(this.#patienceMs * this.network.dice.between(1, 1.4), () => {
      const passes = this.network.passes(this.near.host, this.farHost)
      if (this.#starving && !passes) this.break('nothing was heard for too long')
      this.#starving = false
    })
  }

  /** What was held up goes on. */
  release(): void {
    if (this.network.passes(this.near.host, this.farHost)) this.#starving = false
    this.near.release()
    this.far?.release()
  }

  /** Both ends learn that it is over; what is on its way is lost, or arrives before that. */
  break(reason: string): void {
    if (this.#over) return
    this.finish()
    for (const end of [this.near, this.far]) {
      if (end === undefined) continue
      const keep = this.network.dice.chance(0.5)
      end.sever(keep)
      this.other(end)?.hear(reason)
    }
    if (this.far === undefined) this.near.hear(reason)
  }

  died(process: Process, power: boolean): void {
    const [dead, other] = this.near.process === process ? [this.near, this.far] : [this.far, this.near]
    if (dead?.process !== process || this.#over) return
    this.finish()
    const { dice, events } = this.network
    dead.sever(!power && dice.chance(0.8))
    if (other === undefined) return
    if (power) {
      const wait = this.#patienceMs * dice.between(1, 1.4)
      events.after(wait, () => other.hear('nothing was heard for too long'))
    } else {
      other.hear('the connection was reset')
    }
  }

  finish(): void {
    this.#over = true
    this.network.over(this)
  }
}

/** One side of a connection: what its owner sends arrives at the other one in order. */
export class End {
  readonly host: string
  readonly process: Process
  readonly #connection: Connection
  readonly #to: string
  readonly #link: Link
  onFrame: (frame: Uint8Array) => void = () => {}
  onEnd: (reason: string) => void = () => {}
  /** Bytes that were sent and have not arrived. */
  unsent = 0
  /** What it sent arrives no earlier than this. */
  #lastArrival = 0
  /** What the blocked link holds back. */
  #held: Arrival[] = []
  #severed = false
  #closed = false
  #deaf = false

  constructor(connection: Connection, process: Process, host: string, to: string) {
    this.#connection = connection
    this.process = process
    this.host = host
    this.#to = to
    this.#link = connection.network.link(host, to)
  }

  /** @param loose the receiver can do without order, and without the frame: faults may make use of it. */
  send(frame: Uint8Array, loose = false): void {
    if (this.#closed || !this.process.alive) return
    const { network } = this.#connection
    const link = this.#link
    this.unsent += frame.length
    if (loose && network.dice.chance(link.loss)) {
      this.unsent -= frame.length
      network.watcher.lost(this.host, this.#to, frame)
      return
    }
    const run = (): void => {
      this.unsent -= frame.length
      this.#connection.other(this)?.take(this.host, frame)
    }
    if (loose && network.dice.chance(link.reordering)) {
      const late = network.delay(link) * network.dice.between(1, 30)
      network.events.after(late, () => this.#pass({ isFrame: true, run }))
    } else {
      this.arrive({ isFrame: true, run })
    }
    if (loose && network.dice.chance(link.duplication)) {
      const again = (): void => this.#connection.other(this)?.take(this.host, frame)
      const late = network.delay(link) * network.dice.between(1, 100)
      network.events.after(late, () => this.#pass({ isFrame: true, run: again }))
    }
  }

  /** Ends it after what was sent. */
  end(): void {
    if (this.#closed) return
    this.#closed = true
    const run = (): void => {
      this.#connection.other(this)?.hear('the other side closed the connection')
      this.#connection.finish()
    }
    this.arrive({ isFrame: false, run })
  }

  /** Ends it at once; what was sent may still arrive. */
  abort(): void {
    this.#deaf = true
    if (this.#closed) return
    this.#severed = this.#connection.network.dice.chance(0.5)
    this.end()
  }

  /** @internal Something comes to the other side, after what was sent before. */
  arrive(arrival: Arrival): void {
    const { network } = this.#connection
    const delay = network.delay(this.#link)
    this.#lastArrival = Math.max(this.#lastArrival, network.events.now + delay)
    network.events.schedule(this.#lastArrival, () => this.#pass(arrival))
  }

  /** @internal */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const arrival of held) this.arrive(arrival)
  }

  /** @internal From now on nothing of it counts; with `keep`, what is on its way does. */
  sever(keep: boolean): void {
    this.#closed = true
    this.#severed ||= !keep
    this.#held = []
  }

  /** @internal */
  take(from: string, frame: Uint8Array): void {
    this.process.deliver(() => {
      if (this.#deaf) return
      this.#connection.network.watcher.delivered(from, this.host, frame)
      this.onFrame(frame)
    })
  }

  /** @internal The connection is over: told last. */
  hear(reason: string): void {
    this.#closed = true
    const { events } = this.#connection.network
    events.schedule(Math.max(events.now, this.#connection.other(this)?.lastArrival ?? 0), () =>
      this.process.deliver(() => {
        if (this.#deaf) return
        this.#deaf = true
        this.onEnd(reason)
      }),
    )
  }

  /** @internal */
  get lastArrival(): number {
    return this.#severed ? 0 : this.#lastArrival
  }

  #pass(arrival: Arrival): void {
    if (this.#severed && arrival.isFrame) return
    if (this.#link.blocked > 0 || this.#held.length > 0) this.#held.push(arrival)
    else arrival.run()
  }
}
