import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { MaelstromNode } from './node.ts'
import type { MaelstromNodeParts } from './node.ts'
import { parseEnvelope } from './protocol.ts'

export interface MaelstromStreams extends Omit<MaelstromNodeParts, 'send'> {
  readonly input: Readable
  /** Nothing but messages goes here. */
  readonly output: Writable
}

/**
 * Runs a node on lines of JSON until the input ends and what waits is answered.
 * @throws StopError where the node has to stop by itself
 */
export async function runMaelstromNode({ input, output, ...parts }: MaelstromStreams): Promise<void> {
  const node = new MaelstromNode({
    ...parts,
    send: (envelope) => void output.write(`${JSON.stringify(envelope)}\n`),
  })
  const ended = (async () => {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      if (line.trim() === '') continue
      const envelope = parseEnvelope(line)
      if (envelope === undefined) parts.logger.warn({ line: line.slice(0, 200) }, 'not a message; ignored')
      else await node.receive(envelope)
    }
  })()
  const failure = await Promise.race([ended, node.failed])
  if (failure !== undefined) throw failure
  await node.stop()
}
