import { createServer } from 'node:net'

/**
 * The lowest base, in steps of 100, from which on `count` client ports and as many peer ports `peerOffset` above are
 * free on 127.0.0.1.
 * @throws Error where there is none among the next 8000
 */
export async function freeBasePort(from: number, count: number, peerOffset: number): Promise<number> {
  for (let base = from; base < from + 8000; base += 100) {
    const ports = Array.from({ length: count }, (_, i) => [base + i, base + peerOffset + i]).flat()
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base
  }
  throw new Error(`no free ports between ${from} and ${from + 8000 + peerOffset}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
