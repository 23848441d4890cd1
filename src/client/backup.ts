import { Client, credentials, status } from '@grpc/grpc-js'
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import { UnavailableError } from '../errors.ts'
import type { BalsaError } from '../errors.ts'
import { decodeErrorDetail, toError } from '../wire/error-detail.ts'
import { plainDetails } from '../wire/grpc-details.ts'
import { loadProtos } from '../wire/proto.ts'
import type { BackupHead, BackupResponse } from '../wire/proto.ts'
import { WireError } from '../wire/protobuf.ts'

/** A node that says nothing for so long is given up, in milliseconds: it may have to write a checkpoint first. */
const SILENCE_MS = 30_000

const ERROR_TRAILER = 'balsa-error-bin'

/** A backup on its way from a node. */
export interface BackupStream {
  readonly head: BackupHead
  /** Read as they are asked for. Throws a BalsaError where the node or the connection fails. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/**
 * Asks the nodes in turn for a backup; the first that begins one makes it. Throws the last one's BalsaError where
 * none does.
 */
export async function openBackup(endpoints: readonly string[]): Promise<BackupStream> {
  let last: unknown = new UnavailableError('no endpoint was given')
  for (const endpoint of endpoints) {
    try {
      return await backupFrom(endpoint)
    } catch (error) {
      last = error
    }
  }
  throw last
}

async function backupFrom(endpoint: string): Promise<BackupStream> {
  const parts = partsOf(endpoint)
  const first = await parts.next()
  const head = first.done === true ? undefined : first.value.head
  if (head !== undefined && head !== null) return { head, chunks: chunksOf(parts) }
  await parts.return(undefined)
  throw new UnavailableError(`${endpoint} ended the backup before it began`)
}

async function* chunksOf(parts: AsyncGenerator<BackupResponse>): AsyncGenerator<Uint8Array> {
  for await (const { chunk } of parts) if (chunk !== undefined && chunk !== null) yield chunk
}

async function* partsOf(endpoint: string): AsyncGenerator<BackupResponse, undefined> {
  const { path, requestSerialize, responseDeserialize } = loadProtos().backupMethod
  const client = new Client(endpoint, credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    'grpc.max_receive_message_length': -1,
  })
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {})
  const silence = watch(stream)
  try {
    for await (const part of stream as AsyncIterable<BackupResponse>) {
      silence.pause()
      yield part
      silence.begin()
    }
  } catch (error) {
    throw errorOf(endpoint, error as ServiceError, silence.over)
  } finally {
    silence.pause()
    stream.cancel()
    client.close()
  }
  return undefined
}

/** Cancels a stream on which nothing comes for too long while somebody waits. */
function watch(stream: ClientReadableStream<BackupResponse>): {
  begin(): void
  pause(): void
  readonly over: boolean
} {
  let timer: NodeJS.Timeout | undefined
  let over = false
  const watcher = {
    begin() {
      timer = setTimeout(() => {
        over = true
        stream.cancel()
      }, SILENCE_MS)
    },
    pause: () => clearTimeout(timer),
    get over() {
      return over
    },
  }
  watcher.begin()
  return watcher
}

function errorOf(endpoint: string, error: ServiceError, silent: boolean): BalsaError {
  if (silent)
    return new UnavailableError(`${endpoint} has said nothing for ${SILENCE_MS / 1000} s`, { cause: error })
  const [trailer] = error.metadata?.get(ERROR_TRAILER) ?? []
  if (trailer instanceof Uint8Array) {
    try {
      return toError(decodeErrorDetail(trailer), { write: false })
    } catch (problem) {
      if (!(problem instanceof WireError)) throw problem
    }
  }
  const code = error.code === undefined ? '' : ` (${status[error.code]})`
  return new UnavailableError(`${endpoint}: ${plainDetails(error.details ?? error.message)}${code}`, {
    cause: error,
  })
}
