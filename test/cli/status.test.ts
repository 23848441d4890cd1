import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ClusterStatus, NodeStatus } from '../../src/client/status.ts'
import { fakeWorld } from './support/fake-context.ts'

function node(id: string, role: string, port: number): NodeStatus {
  return {
    id,
    clientAddress: `127.0.0.1:${port}`,
    peerAddress: `127.0.0.1:${port + 1000}`,
    reachable: true,
    role,
    term: 4,
    commitIndex: 120,
    lastApplied: 119,
    firstIndex: 1,
    lastIndex: 121,
    revision: 77,
    health: 'serving',
    stateHash: 'ab',
    pid: 1234,
    version: '1.2.3',
    dataDir: '/data',
    compactedRevision: 7,
    checkpointIndex: 100,
    disk: {
      logBytes: 5 * 2 ** 20,
      stateBytes: 999,
      freeBytes: 300 * 2 ** 30,
      totalBytes: 2 ** 40,
      lowOnSpace: id === 'n2',
      checkpointAgeMs: 1234,
    },
  }
}

function lost(id: string, clientAddress: string): NodeStatus {
  const unknown = { role: null, term: null, commitIndex: null, lastApplied: null, firstIndex: null }
  const more = { lastIndex: null, revision: null, stateHash: null, pid: null, version: null, dataDir: null }
  const health = 'unreachable: connection refused'
  const disk = { compactedRevision: null, checkpointIndex: null, disk: null }
  return { id, clientAddress, peerAddress: '', reachable: false, health, ...unknown, ...more, ...disk }
}

const led: ClusterStatus = {
  leader: 'n2',
  term: 4,
  nodes: [node('n1', 'follower', 7001), node('n2', 'leader', 7002), lost('n3', '127.0.0.1:7003')],
}
const leaderless: ClusterStatus = { ...led, leader: null, nodes: [node('n1', 'preCandidate', 7001)] }

const told = (status: ClusterStatus) => ({ methods: { status: () => Promise.resolve(status) } })

describe('balsa status', () => {
  it('shows a row for every node and marks the leader', async () => {
    const world = fakeWorld(told(led))
    assert.equal(await world.run('status'), 0)
    const lines = world.stdout.text.split('\n')
    const rows = lines.filter((line) => /n\d/.test(line) && line.includes('│'))
    const cells = rows.map((row) =>
      row
        .split('│')
        .map((cell) => cell.trim())
        .slice(1, -1),
    )
    assert.deepEqual(cells, [
      ['', 'n1', 'follower', '4', '120', '119', '121', '77', '127.0.0.1:7001', 'serving'],
      ['*', 'n2', 'leader', '4', '120', '119', '121', '77', '127.0.0.1:7002', 'serving'],
      ['', 'n3', '-', '-', '-', '-', '-', '-', '127.0.0.1:7003', 'unreachable'],
    ])
    assert.match(world.stdout.text, /n2 leads in term 4; 2 of 3 nodes answer\.\n$/)
  })

  it('shows with --disk what the data takes, and what is left', async () => {
    const world = fakeWorld(told(led))
    assert.equal(await world.run('status', '--disk'), 0)
    const rows = world.stdout.text.split('\n').filter((line) => /n\d/.test(line) && line.includes('│'))
    const cells = rows.map((row) =>
      row
        .split('│')
        .map((cell) => cell.trim())
        .slice(1, -1),
    )
    const sizes = ['1–121', '5.00 MiB', '999 B', '100', '1.2 s', '7', '300 GiB', '1.00 TiB']
    assert.deepEqual(cells, [
      ['n1', ...sizes, 'enough'],
      ['n2', ...sizes, 'low: no writes'],
      ['n3', ...sizes.map(() => '-'), 'unreachable'],
    ])
  })

  it('exits with 3 where there is no leader, in words and as JSON', async () => {
    const world = fakeWorld(told(leaderless))
    assert.equal(await world.run('status'), 3)
    assert.match(world.stdout.text, /There is no leader; 1 of 1 nodes answer\./)
    const json = fakeWorld(told(leaderless))
    assert.equal(await json.run('status', '--json'), 3)
    assert.equal((JSON.parse(json.stdout.text) as ClusterStatus).leader, null)
  })

  it('prints JSON with the promised fields', async () => {
    const world = fakeWorld(told(led))
    assert.equal(await world.run('--json', 'status'), 0)
    assert.deepEqual(JSON.parse(world.stdout.text), led)
  })

  it('shows the endpoints where no node answers', async () => {
    const world = fakeWorld(told({ leader: null, term: 0, nodes: [lost('', '127.0.0.1:7001')] }))
    assert.equal(await world.run('status'), 3)
    assert.match(world.stdout.text, /│ \? .*127\.0\.0\.1:7001 .*unreachable/)
    assert.match(world.stdout.text, /0 of 1 nodes answer/)
  })

  it('waits no longer for a silent node than two seconds, or than --time-out where that is less', async () => {
    const patient = fakeWorld(told(led))
    await patient.run('status', '--time-out', '1m')
    const hasty = fakeWorld(told(led))
    await hasty.run('status', '--time-out', '300ms')
    assert.deepEqual([patient.calls[0]![1], hasty.calls[0]![1]], [{ timeoutMs: 2000 }, { timeoutMs: 300 }])
  })

  it('is coloured at a terminal only, and not with NO_COLOR', async () => {
    const escape = '\u001b['
    const outputs = []
    for (const [isTTY, env] of [
      [true, {}],
      [true, { NO_COLOR: '1' }],
      [false, {}],
    ] as const) {
      const world = fakeWorld({ ...told(led), env })
      world.stdout.isTTY = isTTY
      await world.run('status')
      outputs.push(world.stdout.text.includes(escape))
    }
    assert.deepEqual(outputs, [true, false, false])
  })
})
