import { BalsaClient, type ClientOptions } from '../../src/client/client.ts'
import type { Connection, ConnectionHandlers, Connector } from '../../src/client/connector.ts'
import type { LeaderHint } from '../../src/errors.ts'
import { decodeCommand } from '../../src/wire/command.ts'
import {
  type ClientHello,
  type ClientRequest,
  decodeClientFrame,
  encodeServerHello,
  ServerFrameWriter,
  type ServerResponseBody,
} from '../../src/wire/frames.ts'
import type { StatusResponse } from '../../src/wire/proto.ts'
import type { Command } from '../../src/wire/types.ts'
import { error, FakeStore } from './fake-store.ts'
import { ManualClock, Outcome } from './manual-clock.ts'

export { error, FakeStore, result } from './fake-store.ts'
export { Outcome } from './manual-clock.ts'

/** A node's side of one stream. */
class FakeConnection implements Connection {
  unsentBytes = 0
  /** Who answers: the node itself, or whom it passes the stream on to. */
  other: FakeNode | undefined
  readonly #node: FakeNode
  readonly handlers: ConnectionHandlers
  #open = true

  constructor(node: FakeNode, handlers: ConnectionHandlers) {
    this.#node = node
    this.handlers = handlers
  }

  get open(): boolean {
    return this.#open
  }

  send(frame: Uint8Array): void {
    // The bytes on the wire are the sender's no longer.
    const bytes = Buffer.from(frame)
    this.#node.clock.after(1, () => {
      if (this.#open) this.#node.receive(this, bytes)
    })
  }

  deliver(frame: Uint8Array): void {
    this.#node.clock.after(1, () => {
      if (this.#open) this.handlers.frame(frame)
    })
  }

  close(): void {
    this.#open = false
  }

  fail(why: string | Error): void {
    if (!this.#open) return
    this.#open = false
    this.handlers.closed(typeof why === 'string' ? new Error(why) : why)
  }
}

/** What a node does with a request: answers, or (undefined) does not for now. */
export type Handler = (request: ClientRequest) => ServerResponseBody | undefined

/** A node whose every word the test decides. By default it serves as it says in its hello. */
export class FakeNode {
  readonly cluster: FakeCluster
  readonly endpoint: string
  readonly id: string
  up = true
  /** Takes everything and says nothing, like a process that was stopped. */
  silent = false
  /** Passes streams on to where nothing comes back from. */
  forwardsSilence = false
  /** How long its hello takes, in milliseconds: a node that so many ask at once that it is late. */
  helloMs = 0
  clusterId = Buffer.from('cluster')
  protocol = 1
  leader: LeaderHint | undefined
  handler: Handler
  connects = 0
  readonly hellos: ClientHello[] = []
  /** The requests that came, one array for each frame. */
  readonly frames: ClientRequest[][] = []
  #connections: FakeConnection[] = []

  constructor(cluster: FakeCluster, endpoint: string, id: string) {
    this.cluster = cluster
    this.endpoint = endpoint
    this.id = id
    this.handler = this.defaultHandler
  }

  get clock(): ManualClock {
    return this.cluster.clock
  }

  get requests(): ClientRequest[] {
    return this.frames.flat()
  }

  get commands(): Command[] {
    return commandsOf(this.requests)
  }

  get openStreams(): number {
    return this.#connections.filter((connection) => connection.open).length
  }

  /** The default: a leader serves, a follower serves stale reads and redirects, or refuses. */
  serve(request: ClientRequest): ServerResponseBody {
    const stale = request.body.type === 'read' && request.body.consistency === 'stale'
    if (stale || this.leader?.id === this.id) return this.cluster.store.run(request)
    if (this.leader === undefined) return error('UNAVAILABLE', { notExecuted: true, message: 'no leader' })
    return error('NOT_LEADER', { notExecuted: true, leader: this.leader })
  }

  accept(handlers: ConnectionHandlers): Connection {
    this.connects++
    const connection = new FakeConnection(this, handlers)
    if (this.up) this.#connections.push(connection)
    else this.clock.after(1, () => connection.fail(`${this.endpoint} refused the connection`))
    return connection
  }

  receive(connection: FakeConnection, bytes: Uint8Array): void {
    if (!this.up) return
    const { hello, requests } = decodeClientFrame(bytes)
    if (hello !== undefined) {
      this.hellos.push(hello)
      if (this.silent || (hello.forward && this.forwardsSilence)) return
      // A node that passes a stream on passes the leader's hello back.
      const other = hello.forward ? this.cluster.members.find(({ id }) => id === this.leader?.id) : this
      if (other === undefined || !other.up) return connection.fail('the leader cannot be reached')
      connection.other = other
      const { clusterId, id: nodeId, leader } = other
      const greeting = encodeServerHello({ protocol: this.protocol, clusterId, nodeId, leader })
      if (this.helloMs === 0) connection.deliver(greeting)
      else this.clock.after(this.helloMs, () => connection.open && connection.deliver(greeting))
      return
    }
    this.frames.push(requests)
    if (this.silent) return
    const answers: [number, ServerResponseBody][] = []
    for (const request of requests) {
      const answer = connection.other?.handler(request)
      if (answer !== undefined) answers.push([request.id, answer])
    }
    if (answers.length > 0) connection.deliver(encodeAnswers(answers))
  }

  readonly defaultHandler: Handler = (request) => this.serve(request)

  /** Sends answers on every open stream. */
  answer(...answers: [number, ServerResponseBody][]): void {
    for (const connection of this.#connections)
      if (connection.open) connection.deliver(encodeAnswers(answers))
  }

  /** As `answer`, without the way: it is there now. */
  answerNow(...answers: [number, ServerResponseBody][]): void {
    for (const connection of this.#connections) {
      if (connection.open) connection.handlers.frame(encodeAnswers(answers))
    }
  }

  /** So many bytes have not left the client yet. 0: all have. */
  congest(bytes: number): void {
    for (const connection of this.#connections) {
      connection.unsentBytes = bytes
      if (bytes === 0) connection.handlers.drained()
    }
  }

  /** Sends bytes as they are. */
  babble(bytes: Uint8Array): void {
    for (const connection of this.#connections) if (connection.open) connection.deliver(bytes)
  }

  /** Breaks all streams; the node stays reachable. */
  breakStreams(why: string | Error = 'the connection was reset'): void {
    for (const connection of this.#connections) connection.fail(why)
    this.#connections = []
  }

  /** As kill -9 does. */
  kill(): void {
    this.up = false
    this.breakStreams()
  }
}

export function encodeAnswers(answers: readonly [number, ServerResponseBody][]): Uint8Array {
  const writer = new ServerFrameWriter()
  for (const [id, body] of answers) {
    if (body.type === 'result') writer.result(id, body.result)
    else if (body.type === 'read') writer.read(id, body.revision, body.entries)
    else writer.error(id, body.error)
  }
  return writer.take()
}

export function commandsOf(requests: readonly ClientRequest[]): Command[] {
  const commands: Command[] = []
  for (const { body } of requests) if (body.type === 'command') commands.push(decodeCommand(body.command))
  return commands
}

/** Three nodes n1, n2, n3 at a:1, b:1, c:1, the first of which leads, and whatever else a test adds. */
export class FakeCluster implements Connector {
  readonly clock = new ManualClock()
  readonly store = new FakeStore()
  readonly members: FakeNode[] = []
  /** By the endpoint behind which a client finds them. */
  readonly nodes = new Map<string, FakeNode>()
  readonly n1: FakeNode
  readonly n2: FakeNode
  readonly n3: FakeNode
  readonly statuses = new Map<string, Partial<StatusResponse>>()
  /** Endpoints in the order in which they were dialled, and when. */
  readonly dials: { endpoint: string; at: number }[] = []

  constructor() {
    this.n1 = this.add('a:1', 'n1')
    this.n2 = this.add('b:1', 'n2')
    this.n3 = this.add('c:1', 'n3')
    this.elect(this.n1, 1)
  }

  add(endpoint: string, id: string): FakeNode {
    const node = new FakeNode(this, endpoint, id)
    this.members.push(node)
    this.nodes.set(endpoint, node)
    return node
  }

  /** All nodes know from now on who leads; `clientAddress` is what the leader advertises. */
  elect(leader: FakeNode | undefined, term: number, clientAddress = leader?.endpoint ?? ''): void {
    const hint = leader === undefined ? undefined : { id: leader.id, clientAddress, term }
    for (const node of this.members) node.leader = hint
  }

  client(options: Partial<ClientOptions> = {}, random: () => number = () => 0): BalsaClient {
    return new BalsaClient(
      { endpoints: ['a:1', 'b:1', 'c:1'], ...options },
      { connector: this, clock: this.clock, random },
    )
  }

  connect(endpoint: string, handlers: ConnectionHandlers): Connection {
    this.dials.push({ endpoint, at: this.clock.now() })
    const node = this.nodes.get(endpoint)
    if (node !== undefined) return node.accept(handlers)
    this.clock.after(1, () => handlers.closed(new Error(`${endpoint} cannot be reached`)))
    return { unsentBytes: 0, send: () => {}, close: () => {} }
  }

  async status(endpoint: string): Promise<StatusResponse> {
    const status = this.statuses.get(endpoint)
    if (status === undefined) throw new Error(`${endpoint} cannot be reached`)
    return { ...EMPTY_STATUS, ...status }
  }
}

const EMPTY_STATUS: StatusResponse = {
  id: '',
  clusterId: Buffer.alloc(0),
  clusterName: 'c',
  clientAddress: '',
  peerAddress: '',
  role: 'follower',
  term: 1,
  leader: '',
  commitIndex: 0,
  lastApplied: 0,
  firstIndex: 1,
  lastIndex: 0,
  revision: 0,
  health: 'serving',
  stateHash: '',
  pid: 1,
  version: '0.1.0',
  dataDir: '',
  sessions: 0,
  clusterTimeMs: 0,
  checkpointIndex: 0,
  compactedRevision: 0,
  disk: null,
  peers: [],
}

/** A cluster with a client that has written once through n1, the leader, so that the next request is the test's own. */
export async function warmCluster(timeoutMs = 5000) {
  const cluster = new FakeCluster()
  const client = cluster.client({ timeoutMs })
  const put = new Outcome(client.put('warm', 'up'))
  await cluster.clock.advance(20)
  if (put.value === undefined) throw put.error ?? new Error('the first put was not answered')
  for (const node of cluster.members) node.frames.length = 0
  cluster.store.applied.length = 0
  cluster.dials.length = 0
  const { clock, n1, n2, n3 } = cluster
  return { cluster, client, clock, n1, n2, n3 }
}
