import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IncomingListener, IncomingStream } from '../../src/rpc/message-stream.ts'
import { ExchangeService } from '../../src/server/exchange-service.ts'
import { Forwarder } from '../../src/server/forwarder.ts'
import type { KvFront } from '../../src/server/kv-front.ts'
import { MAX_UNREAD_BYTES } from '../../src/server/unsent-answers.ts'
import { encodeClientHello } from '../../src/wire/frames.ts'

/** A client that has left so much unread. */
class Client implements IncomingStream {
  readonly did: string[] = []
  readonly unsentBytes: number
  listener!: IncomingListener

  constructor(unsentBytes: number) {
    this.unsentBytes = unsentBytes
  }

  header = (): undefined => undefined
  hear = (listener: IncomingListener): void => void (this.listener = listener)
  send = (): void => void this.did.push('send')
  end = (): void => void this.did.push('end')
  fail = (): void => void this.did.push('fail')
  abort = (): void => void this.did.push('abort')
  pause = (): void => assert.fail('not here')
  resume = (): void => assert.fail('not here')
}

describe('the service of Exchange streams', () => {
  const clusterId = Buffer.from('cluster')
  const host = { id: 'n1', clusterId, front: {} as KvFront, leader: () => undefined }
  const hello = encodeClientHello({ protocolMin: 1, protocolMax: 1, forward: false, clusterId })

  it('drops a client that reads nothing, and keeps nothing of it', () => {
    const service = new ExchangeService(host, new Forwarder(new Map(), {}))
    const [reader, idler] = [new Client(MAX_UNREAD_BYTES), new Client(MAX_UNREAD_BYTES + 1)]
    for (const client of [reader, idler]) {
      service.handle(client)
      client.listener.message(hello)
    }
    service.close()
    assert.deepEqual([reader.did, idler.did], [['send', 'end'], ['abort']])
  })
})
