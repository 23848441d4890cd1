import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BalsaClient } from '../../src/index.ts'

const execute = promisify(execFile)
const FILE = fileURLToPath(new URL('../../deploy/compose/compose.yaml', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Each machine is an address of the loopback network here: the containers have the machine's own network anyway. */
const HOSTS = [1, 2, 3].map((i) => ({ id: `n${i}`, host: `127.0.0.1${i}`, project: `balsa-host-${i}` }))
const [CLIENTS, PEERS] = [17_301, 18_301]

async function compose({ id, host, project }: (typeof HOSTS)[number], ...args: string[]): Promise<void> {
  const env = {
    ...process.env,
    BALSA_ID: id,
    BALSA_HOST: host,
    BALSA_PEERS: HOSTS.map((each) => `${each.id}=${each.host}:${PEERS}`).join(','),
    BALSA_CLIENT_PORT: String(CLIENTS),
    BALSA_PEER_PORT: String(PEERS),
  }
  await execute('docker', ['compose', '--project-name', project, '--file', FILE, ...args], { env })
}

describe('deploy/compose on three machines', () => {
  before(async () => {
    await execute('docker', ['build', '--tag', 'balsa', ROOT], { maxBuffer: 64 * 1024 * 1024 })
    await Promise.all(HOSTS.map((host) => compose(host, 'up', '--detach', '--wait')))
  })
  after(() => Promise.all(HOSTS.map((host) => compose(host, 'down', '--volumes', '--timeout', '1'))))

  it('makes one cluster, whose nodes are reached where they say', async () => {
    await using client = new BalsaClient({ endpoints: [`127.0.0.11:${CLIENTS}`], timeoutMs: 20_000 })
    await client.put('greeting', 'hello')
    const { nodes } = await client.status()
    assert.deepEqual(
      nodes.map(({ id, clientAddress, reachable }) => [id, clientAddress, reachable]),
      HOSTS.map(({ id, host }) => [id, `${host}:${CLIENTS}`, true]),
    )
  })
})
