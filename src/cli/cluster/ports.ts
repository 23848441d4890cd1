import { createServer } from 'node:net'

/** How far the peer ports lie above the client ports. */
export const PEER_PORT_OFFSET = 1000

const HOST = '127.0.0.1'

/** Whether a port of this machine's loopback address can be listened on now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** The ports that a cluster needs: the client ports, then the peer ports. */
export function portsOf(basePort: number, nodes: number): number[] {
  const client = Array.from({ length: nodes }, (_, index) => basePort + index)
  return [...client, ...client.map((port) => port + PEER_PORT_OFFSET)]
}

/** Those of the ports that somebody else listens on. */
export async function takenPorts(ports: readonly number[]): Promise<number[]> {
  const free = await Promise.all(ports.map(isFree))
  return ports.filter((_, index) => !free[index])
}

/**
 * A base port from which on a cluster finds all its ports free, or undefined where it looked long enough.
 * @param candidates base ports in the order in which they are tried
 */
export async function findFreeBase(candidates: Iterable<number>, nodes: number): Promise<number | undefined> {
  for (const base of candidates) {
    if ((await takenPorts(portsOf(base, nodes))).length === 0) return base
  }
  return undefined
}

/** Base ports above one that is taken, in steps that are easy to remember. */
export function* portsAbove(basePort: number): Generator<number> {
  for (let base = basePort + 100; base <= basePort + 2000 && base < 60_000; base += 100) yield base
}

/** Base ports below the range from which systems take ports for outgoing connections, in a random order. */
export function* randomPorts(): Generator<number> {
  for (let tries = 0; tries < 100; tries++) yield 10_000 + Math.floor(Math.random() * 20_000)
}
