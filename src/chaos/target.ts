/** What can be done to a cluster, by the names that a command line and a scenario file use. */
export const FAULT_KINDS = Object.freeze(['kill', 'stop', 'pause', 'cut', 'slow', 'disk'] as const)

/** A kind of fault. `kill`, `stop` and `pause` end with a start or a resume; the others with a heal. */
export type FaultKind = (typeof FAULT_KINDS)[number]

/** How a node's links to the others are made worse, in both directions. */
export interface Slowness {
  /** What every packet takes longer, in milliseconds. */
  readonly delayMs: number
  /** The share of what is sent that is lost, in [0, 1). TCP sends it again, later. */
  readonly lossRate: number
}

/**
 * A cluster that faults are done to. Names of nodes are ids (n1, n2, …).
 *
 * Every method resolves when what it asks for is in force, and rejects where it could not be done. What is not
 * in `supports` rejects. To do what is done already (kill a dead node, start a running one) is no error.
 */
export interface ChaosTarget {
  /** The ids, sorted. */
  readonly nodes: readonly string[]
  /** id → client address (`host:port`) that can be reached from here. */
  readonly endpoints: ReadonlyMap<string, string>
  readonly supports: ReadonlySet<FaultKind>
  /** Ends a node at once: kill -9. Resolves when it is gone. A paused node is killed too. */
  kill(id: string): Promise<void>
  /** Ends a node as an operator does: SIGTERM. Resolves when it is gone; a paused node is resumed first. */
  stop(id: string): Promise<void>
  /** Starts a node that was killed or stopped, or that ended by itself. Resolves when its process runs. */
  start(id: string): Promise<void>
  /** Freezes a node's process: its connections stay open and nobody answers. */
  pause(id: string): Promise<void>
  /** Lets a paused node go on. */
  resume(id: string): Promise<void>
  /** Directed: what `from` sends to `to` is dropped; the other direction goes on. Clients are not affected. */
  cut(from: string, to: string): Promise<void>
  /** Makes the links between a node and all others slow or lossy; a second call replaces the first. */
  slow(id: string, how: Slowness): Promise<void>
  /** Takes the room on the disk that holds a node's data, until `heal`. */
  fillDisk(id: string): Promise<void>
  /** What a node has logged at least since then (milliseconds since 1970), as far as it is still there. */
  log(id: string, sinceMs: number): Promise<string>
  /** Takes back every link and disk fault (cut, slow, fillDisk). Does not start or resume nodes. */
  heal(): Promise<void>
  /** Heals, and lets go of what the target holds. Nodes go on as they are. */
  [Symbol.asyncDispose](): Promise<void>
}
