import { silence } from '../silence.ts'
import type { Acknowledgement } from '../silence.ts'
import type { System } from './system.ts'
import { keyName } from './system.ts'
import { UnaryClient } from './unary.ts'

/** One put a ten-milliseconds, whether or not the ones before it are answered. */
const EVERY_MS = 10
/** Before the kill, so that there is a last acknowledgement. */
const BEFORE_MS = 1000
/** Service is back when so many puts that began after the kill are acknowledged. */
const AFTERWARDS = 100
const LIMIT_MS = 60_000

/**
 * Kills the leader with kill -9 under an open loop of puts and measures the silence, in milliseconds; then starts the
 * member again and waits until it has caught up. The puts go to the two others by turns, each of which passes them on,
 * so that what is measured is the cluster, not how fast a client finds another node.
 */
export async function silenceOfKill(system: System, valueBytes: number): Promise<number> {
  const leader = await system.leader()
  const others = system.members().filter(({ id }) => id !== leader.id)
  const clients = others.map(({ address }) => new UnaryClient(address))
  const acknowledgements: Acknowledgement[] = []
  const loop = { puts: 0, killedAt: Infinity, afterwards: 0 }
  const value = Buffer.alloc(valueBytes, 'x')
  const put = async (): Promise<void> => {
    const began = performance.now()
    const client = clients[loop.puts++ % clients.length]!
    await client.call(system.put, { key: keyName(loop.puts % 1000), value }, LIMIT_MS)
    acknowledgements.push({ began, ended: performance.now() })
    if (began > loop.killedAt) loop.afterwards++
  }
  // A put that fails is no service: that is all there is to say about it.
  const timer = setInterval(() => void put().catch(() => undefined), EVERY_MS)
  try {
    await pause(BEFORE_MS)
    loop.killedAt = performance.now()
    await system.kill(leader)
    while (loop.afterwards < AFTERWARDS) {
      if (performance.now() - loop.killedAt > LIMIT_MS) {
        throw new Error(`${system.name} took no puts for a minute after its leader's death`)
      }
      await pause(EVERY_MS)
    }
    return silence(acknowledgements, loop.killedAt)
  } finally {
    clearInterval(timer)
    for (const client of clients) client[Symbol.dispose]()
    await system.restart(leader)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
