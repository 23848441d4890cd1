import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { BrokenInvariantError } from '../errors.ts'
import type { StateMachine } from '../kv/types.ts'
import type { LogIndex, LogPosition, LogReset, ReceivedSnapshot, SnapshotRequest } from '../raft/types.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import type { StateStore } from '../storage/state-store.ts'
import type { SnapshotReceiver } from '../transport/snapshot-transfer.ts'
import type { Transport } from '../transport/transport.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { DriverSnapshots } from './log-cutter.ts'
import type { ReplaceableMachine } from './replaceable-machine.ts'
import { SnapshotReceiving } from './snapshot-receiving.ts'
import { SnapshotSending } from './snapshot-sending.ts'

export interface StateTransferParts {
  readonly directory: DataDirectory
  readonly machine: ReplaceableMachine
  /** The state machine as another state store has it. */
  readonly restore: (store: StateStore) => Promise<StateMachine>
  readonly checkpointer: Checkpointer
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  /** Random, another one after every start. Below 2^32. */
  readonly seed: number
  commitIndex(): LogIndex
  /** A snapshot is whole, and on disk: see `Driver.receiveSnapshot`. */
  received(snapshot: ReceivedSnapshot): Promise<boolean>
  /** The state machine was replaced. */
  replaced(): void
  failed(error: unknown): void
}

/** The state on its way: to followers that lack what the log no longer holds, and here from a leader (§5). */
export class StateTransfer implements DriverSnapshots {
  readonly #parts: StateTransferParts
  readonly #sending: SnapshotSending
  readonly #receiving: SnapshotReceiving

  constructor(parts: StateTransferParts) {
    const { directory, transport, clock, logger, seed } = parts
    this.#parts = parts
    this.#sending = new SnapshotSending({
      transport,
      logger,
      snapshot: () => directory.stateStore.snapshot(),
      firstId: seed * 2 ** 20,
    })
    this.#receiving = new SnapshotReceiving({
      clock,
      logger,
      newDirectory: () => directory.newStateName(),
      build: (name, meta) => directory.buildState(name, meta),
      removeDirectory: (name) => directory.removeState(name),
      commitIndex: () => parts.commitIndex(),
      received: (snapshot) => parts.received(snapshot),
      failed: (error) => parts.failed(error),
    })
  }

  /** What takes in the snapshots that peers bring. */
  get receiver(): SnapshotReceiver {
    return this.#receiving
  }

  get heldIndex(): LogIndex {
    return this.#sending.heldIndex
  }

  /** To whom a snapshot is on its way. */
  get receivers(): readonly string[] {
    return this.#sending.receivers
  }

  /** How much of a snapshot has come in, in bytes; undefined: none is under way. */
  get receivedBytes(): number | undefined {
    return this.#receiving.receivedBytes
  }

  send(request: SnapshotRequest): Promise<LogPosition | undefined> {
    return this.#sending.send(request)
  }

  cancel(): void {
    this.#sending.cancel()
  }

  /** A snapshot's state takes the place of the one in force: the log says so already. */
  async install({ directory, boundary }: LogReset): Promise<void> {
    const { checkpointer, machine, logger } = this.#parts
    await checkpointer.pause()
    await this.#parts.directory.replaceState(directory, async (store) => {
      const restored = await this.#parts.restore(store)
      const { index, term, checksum } = restored.applied
      if (index !== boundary.index || term !== boundary.term || checksum !== boundary.checksum) {
        throw new BrokenInvariantError(
          `A snapshot of entry ${boundary.index} has the state of entry ${index}`,
        )
      }
      machine.replace(restored)
      checkpointer.resume(store)
      this.#parts.replaced()
    })
    logger.info({ index: boundary.index }, 'the state is that of a snapshot')
  }

  /** Ends both ways, and removes what is not whole. */
  async close(): Promise<void> {
    this.#sending.cancel()
    await this.#receiving.close()
  }
}
