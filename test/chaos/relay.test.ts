import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { describe, it } from 'node:test'
import { FaultsError, NO_LINK_FAULTS, Relay } from '../../src/chaos/index.ts'
import type { LinkFaults } from '../../src/chaos/index.ts'
import { RelayControl } from '../../src/chaos/relay/control.ts'
import { linkState } from '../../src/chaos/relay/link-faults.ts'
import type { Clock } from '../../src/clock.ts'

/** Time that passes only when it is told to. */
class HandClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ at: number; run: () => void }>()

  now(): number {
    return this.#now
  }

  after(milliseconds: number, run: () => void) {
    const timer = { at: this.#now + milliseconds, run }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  soon(run: () => void): void {
    setImmediate(run)
  }

  get waiting(): number {
    return this.#timers.size
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds
    for (const timer of [...this.#timers]) {
      if (timer.at <= this.#now && this.#timers.delete(timer)) timer.run()
    }
  }
}

/** One end of a connection, and what has arrived there. */
class End {
  readonly socket: Socket
  text = ''

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString()
    })
  }

  /** Resolves when this much and no more has arrived. */
  async has(text: string): Promise<void> {
    while (this.text !== text) {
      assert.ok(text.startsWith(this.text), `${this.text} instead of ${text}`)
      await once(this.socket, 'data')
    }
  }
}

interface Lab {
  readonly relay: Relay
  readonly clock: HandClock
  /** Dials `n2` as `n1` does; resolves to both ends, the far one once there is one. */
  readonly dial: () => Promise<{ near: End; far: Promise<End> }>
}

async function withRelay(test: (lab: Lab) => Promise<void>, random = 0): Promise<void> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted: Socket[] = []
  const waiting: ((end: End) => void)[] = []
  server.on('connection', (socket) => {
    accepted.push(socket)
    waiting.shift()?.(new End(socket))
  })
  const clock = new HandClock()
  const nodes = new Map([
    ['n1', 1],
    ['n2', (server.address() as AddressInfo).port],
  ])
  const relay = await Relay.listen({ nodes, clock, random: () => random })
  const dialled: Socket[] = []
  try {
    await test({
      relay,
      clock,
      async dial() {
        const far = new Promise<End>((resolve) => waiting.push(resolve))
        const socket = connect(Number(relay.address('n1', 'n2').split(':')[1]), '127.0.0.1')
        dialled.push(socket)
        await once(socket, 'connect')
        return { near: new End(socket), far }
      },
    })
  } finally {
    for (const socket of [...dialled, ...accepted]) socket.destroy()
    await relay.close()
    server.close()
  }
}

/** What was written has had every chance to arrive: something that was written after it has, on another way. */
async function arrived({ dial }: Lab): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const { near, far } = await dial()
    near.socket.write('?')
    await (await far).has('?')
    near.socket.destroy()
  }
}

const cut = (...cuts: [string, string][]): LinkFaults => ({ cuts, slow: {} })

describe('the relay', () => {
  it('hands on both directions, and the end', () =>
    withRelay(async ({ dial }) => {
      const { near, far } = await dial()
      near.socket.write('ping')
      await (await far).has('ping')
      ;(await far).socket.write('pong')
      await near.has('pong')
      near.socket.end('!')
      await (await far).has('ping!')
      if (!(await far).socket.readableEnded) await once((await far).socket, 'end')
    }))

  it('holds back one direction of a connection, and lets the other go on; healed, all arrives in its order', () =>
    withRelay(async ({ relay, dial }) => {
      const { near, far } = await dial()
      near.socket.write('a')
      await (await far).has('a')
      relay.setFaults(cut(['n1', 'n2']))
      near.socket.write('b')
      ;(await far).socket.write('1')
      await near.has('1')
      ;(await far).socket.write('2')
      await near.has('12')
      assert.equal((await far).text, 'a')
      relay.setFaults(NO_LINK_FAULTS)
      near.socket.write('c')
      await (await far).has('abc')
    }))

  it('holds back the answers only, where that is what is cut', () =>
    withRelay(async ({ relay, dial }) => {
      const { near, far } = await dial()
      near.socket.write('a')
      await (await far).has('a')
      relay.setFaults(cut(['n2', 'n1']))
      ;(await far).socket.write('1')
      near.socket.write('b')
      await (await far).has('ab')
      near.socket.write('c')
      await (await far).has('abc')
      assert.equal(near.text, '')
      relay.setFaults(NO_LINK_FAULTS)
      await near.has('1')
    }))

  it('connects nobody through a cut, of whichever direction, until it heals', () =>
    withRelay(async ({ relay, dial }) => {
      for (const pair of [
        ['n1', 'n2'],
        ['n2', 'n1'],
      ] as [string, string][]) {
        relay.setFaults(cut(pair))
        const { near, far } = await dial()
        near.socket.write('x')
        let isThere = false
        void far.then(() => (isThere = true))
        await new Promise((resolve) => setImmediate(resolve))
        assert.equal(isThere, false)
        relay.setFaults(NO_LINK_FAULTS)
        await (await far).has('x')
        near.socket.destroy()
      }
    }))

  it('delays as long as it was told, and keeps the order', () =>
    withRelay(async (lab) => {
      const { relay, clock, dial } = lab
      const { near, far } = await dial()
      relay.setFaults({ cuts: [], slow: { n2: { delayMs: 50, lossRate: 0 } } })
      near.socket.write('a')
      while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve))
      clock.pass(49)
      // What comes after the heal does not overtake what is on its way.
      relay.setFaults(NO_LINK_FAULTS)
      near.socket.write('b')
      await arrived(lab)
      assert.equal((await far).text, '')
      clock.pass(1)
      await (await far).has('ab')
    }))

  it('makes of a loss what TCP makes of it: the bytes come later', () =>
    withRelay(async ({ relay, clock, dial }) => {
      const { near, far } = await dial()
      relay.setFaults({ cuts: [], slow: { n1: { delayMs: 0, lossRate: 0.5 } } })
      near.socket.write('a')
      while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve))
      clock.pass(199)
      assert.equal((await far).text, '')
      clock.pass(1)
      await (await far).has('a')
    }))

  it('ends a connection whose other side is not there', async () => {
    const relay = await Relay.listen({
      nodes: new Map([
        ['n1', 1],
        ['n2', 1],
      ]),
    })
    try {
      const socket = connect(Number(relay.address('n1', 'n2').split(':')[1]), '127.0.0.1')
      socket.on('error', () => {})
      await new Promise((resolve) => socket.once('close', resolve))
    } finally {
      await relay.close()
    }
  })

  it('adds up what two slow ends do', () => {
    const slow = { n1: { delayMs: 10, lossRate: 0.5 }, n2: { delayMs: 5, lossRate: 0.5 } }
    const faults: LinkFaults = { cuts: [['n1', 'n2']], slow }
    assert.deepEqual(linkState(faults, 'n1', 'n2'), { cut: true, delayMs: 15, lossRate: 0.75 })
    assert.deepEqual(linkState(faults, 'n3', 'n1'), { cut: false, delayMs: 10, lossRate: 0.5 })
  })
})

describe("the relay's control", () => {
  it('takes faults and starts from another process, and refuses what makes no sense', async () => {
    const relay = await Relay.listen({
      nodes: new Map([
        ['n1', 1],
        ['n2', 1],
      ]),
    })
    const started: string[] = []
    const control = await RelayControl.listen(relay, (id) => {
      if (id !== 'n1') throw new FaultsError(`there is no node ${id}`)
      started.push(id)
    })
    const ask = async (method: string, path: string, body?: unknown) => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
      const response = await fetch(`http://${control.address}${path}`, init)
      return [response.status, await response.json()] as const
    }
    try {
      const faults = { cuts: [['n1', 'n2']], slow: { n2: { delayMs: 5, lossRate: 0 } } }
      assert.deepEqual(await ask('PUT', '/faults', faults), [200, faults])
      assert.deepEqual(relay.faults, faults)
      assert.deepEqual(await ask('GET', '/faults'), [200, faults])
      const bad = [
        { cuts: [['n1', 'n9']] },
        { cuts: 1 },
        { slow: { n9: {} } },
        { slow: { n1: { delayMs: -1 } } },
      ]
      for (const body of bad) assert.equal((await ask('PUT', '/faults', body))[0], 400, JSON.stringify(body))
      assert.deepEqual(relay.faults, faults)
      assert.equal((await ask('POST', '/faults', NO_LINK_FAULTS))[0], 404)
      assert.equal((await ask('PUT', '/nodes/n1/start', {}))[0], 200)
      assert.equal((await ask('PUT', '/nodes/n7/start', {}))[0], 400)
      assert.deepEqual(started, ['n1'])
    } finally {
      await control.close()
      await relay.close()
    }
  })
})
