import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Client, credentials, status } from '@grpc/grpc-js'
import type { ChannelCredentials, ChannelOptions, ServiceError } from '@grpc/grpc-js'
import { plainDetails } from '../wire/grpc-details.ts'
import type { BytesMethod } from '../wire/services.ts'
import { UnsentBytes } from './unsent-bytes.ts'
import type { PeerCall } from './unsent-bytes.ts'
import type { FrameListener, OutgoingPipe } from './peer-stream.ts'

/**
 * The dialer's end of a stream: a connection, a channel and a call that begin and end together.
 *
 * gRPC cannot be told to give up a connection that is not established yet, or that was accepted and is not
 * answered (a paused process): closing the channel leaves the socket open. One for each attempt would pile up.
 * So a bare connection is tried first, which costs little where nobody listens, and the socket of the channel
 * is kept in view, to be destroyed with it.
 */
export class DialedPipe implements OutgoingPipe {
  readonly #address: string
  readonly #method: BytesMethod
  readonly #options: ChannelOptions
  readonly #bytes = new UnsentBytes()
  readonly #waiting: Uint8Array[] = []
  #probe: Socket | undefined
  #client: Client | undefined
  #call: PeerCall | undefined
  #socket: Socket | undefined
  #over = false

  /** @param address `host:port`, or `[host]:port` for IPv6. */
  constructor(address: string, method: BytesMethod, options: ChannelOptions) {
    this.#address = address
    this.#method = method
    this.#options = options
  }

  /** Dials, and lets `stream` hear what comes in. `name` is how errors call the other side. */
  connect(stream: FrameListener, name: string): void {
    const { host, port } = splitAddress(this.#address)
    const probe = connect({ host, port })
    this.#probe = probe
    probe.on('error', (error) => stream.onEnd(`${name}: ${error.message}`))
    probe.on('connect', () => {
      probe.destroy()
      if (!this.#over) this.#start(stream, name)
    })
  }

  get unsent(): number {
    return this.#bytes.unsent
  }

  write(frame: Uint8Array): void {
    if (this.#call !== undefined) this.#bytes.write(this.#call, frame)
    else this.#waiting.push(frame)
  }

  end(): void {
    this.#over = true
    this.#probe?.destroy()
    this.#call?.end()
    this.#client?.close()
  }

  abort(): void {
    this.#over = true
    this.#probe?.destroy()
    this.#call?.cancel()
    this.#client?.close()
    this.#socket?.destroy()
  }

  #start(stream: FrameListener, name: string): void {
    const { path, requestSerialize, responseDeserialize } = this.#method
    const channelCredentials = watchedCredentials((socket) => {
      this.#socket = socket
      if (this.#over) socket.destroy()
    })
    this.#client = new Client(this.#address, channelCredentials, this.#options)
    const call: PeerCall = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    this.#call = call
    call.on('data', (frame: Uint8Array) => stream.onFrame(frame))
    call.on('error', (error: ServiceError) => stream.onEnd(`${name}: ${describe(error)}`))
    call.on('end', () => stream.onEnd(`${name} closed the stream`))
    for (const frame of this.#waiting.splice(0)) this.#bytes.write(call, frame)
  }
}

/** Credentials without TLS that show the sockets of their channel. */
function watchedCredentials(watch: (socket: Socket) => void): ChannelCredentials {
  const insecure = credentials.createInsecure()
  const create = insecure._createSecureConnector.bind(insecure)
  insecure._createSecureConnector = (...parameters) => {
    const connector = create(...parameters)
    return {
      connect(socket) {
        watch(socket)
        return connector.connect(socket)
      },
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy(),
    }
  }
  return insecure
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}

/** gRPC's words, without what changes from one attempt to the next. */
function describe(error: ServiceError): string {
  return `${plainDetails(error.details)} (${status[error.code]})`
}
