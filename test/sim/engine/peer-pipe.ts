import { PeerStream } from '../../../src/transport/peer-stream.ts'
import type { FrameListener, OutgoingPipe } from '../../../src/transport/peer-stream.ts'
import type { End } from './connection.ts'

/** The near end of a stream between two nodes, over the simulated network. */
export class PeerPipe implements OutgoingPipe {
  readonly #end: End
  #stream: FrameListener | undefined

  constructor(end: End) {
    this.#end = end
  }

  connect(stream: FrameListener): void {
    this.#stream = stream
    this.#end.onFrame = (frame) => stream.onFrame(frame)
    this.#end.onEnd = (reason) => stream.onEnd(reason)
  }

  get unsent(): number {
    return this.#end.unsent
  }

  write(frame: Uint8Array): void {
    // Hellos come in order; Raft's messages need not, and need not come at all.
    this.#end.send(frame, this.#stream instanceof PeerStream && this.#stream.stood)
  }

  end(): void {
    this.#end.end()
  }

  abort(): void {
    this.#end.abort()
  }
}
