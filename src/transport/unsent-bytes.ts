import type { ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js'

export type PeerCall = ClientDuplexStream<Uint8Array, Uint8Array>
export type AcceptedCall = ServerDuplexStream<Uint8Array, Uint8Array>

/** Counts what gRPC was given and the network has not taken yet: gRPC's own streams count objects, not bytes. */
export class UnsentBytes {
  #unsent = 0

  get unsent(): number {
    return this.#unsent
  }

  write(call: PeerCall | AcceptedCall, frame: Uint8Array): void {
    if (call.destroyed || call.writableEnded) return
    this.#unsent += frame.length
    call.write(frame, () => {
      this.#unsent -= frame.length
    })
  }
}
