import { createServer } from 'node:net'

/**
 * Between the ports that `cluster start --base-port 0` tries and those that systems take for outgoing connections: what
 * lies here is free unless somebody chose it.
 */
const FIRST = 31_100
const LAST = 32_766

/**
 * Ports of the loopback address for nodes that are killed and started again. A port that merely was free a moment ago
 * may be another test's by the time a node comes back, and its client then talks to the wrong cluster. So each port
 * is held, for the life of this process, by listening on its odd neighbour.
 * @throws Error where no more are free
 */
export async function reservePorts(count: number): Promise<number[]> {
  const reserved: number[] = []
  const pairs = (LAST - FIRST) / 2
  const start = Math.floor(Math.random() * pairs)
  for (let i = 0; i < pairs && reserved.length < count; i++) {
    const port = FIRST + 2 * ((start + i) % pairs)
    if ((await listens(port + 1, 'on')) && (await listens(port, 'once'))) reserved.push(port)
  }
  if (reserved.length < count) throw new Error(`no ${count} free ports between ${FIRST} and ${LAST}`)
  return reserved
}

/** Whether it was possible to listen there. Once: only to see that nobody else does. */
function listens(port: number, how: 'on' | 'once'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().unref()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      if (how === 'on') resolve(true)
      else server.close(() => resolve(true))
    })
  })
}
