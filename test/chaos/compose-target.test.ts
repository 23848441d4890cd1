import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FaultsError } from '../../src/chaos/faults-error.ts'
import type { RunCommand } from '../../src/chaos/compose/command.ts'
import { openComposeTarget } from '../../src/chaos/compose/target.ts'

interface FakeContainer {
  state: string
  pid: number
  address: string
}

/** An engine that remembers what it was told: containers, and the input of what wrote rules. */
class FakeEngine {
  readonly containers = new Map<string, FakeContainer>()
  readonly commands: string[] = []
  /** By process: the last rules that were written into its network. */
  readonly rules = new Map<number, string>()
  readonly queues = new Map<number, string>()
  /** Programs that are not there, or kernels that have not what they ask for. */
  readonly missing = new Set<string>()
  published = true
  services = ['n1', 'n2', 'n3', 'disks']
  freeKib = '100000'
  /** How often a pause fails yet, as it does on a busy machine. */
  unfreezable = 0
  #next = 100

  constructor() {
    for (const [i, id] of ['n1', 'n2', 'n3'].entries()) {
      this.containers.set(`c-${id}`, { state: 'running', pid: this.#next++, address: `10.0.0.${i + 1}` })
    }
  }

  readonly run: RunCommand = async (program, args, input) => {
    const words = [program, ...args].filter((word) => !['sudo', '--non-interactive'].includes(word))
    this.commands.push(words.join(' '))
    if (words[0] === 'nsenter') return this.#inside(Number(words[2]), words.slice(4), input ?? '')
    if (words[1] === 'compose') return this.#compose(words)
    if (words[1] === 'inspect') return JSON.stringify(words.slice(4).map((id) => this.#inspect(id)))
    if (words[1] === 'pause' && this.unfreezable-- > 0) throw new FaultsError('unable to freeze: unknown')
    if (words[1] === 'logs') return `${words.slice(2).join(' ')}\n`
    const container = this.containers.get(words.at(-1)!)
    assert.ok(container, `no container ${words.at(-1)}`)
    const states: Record<string, string> = { kill: 'exited', stop: 'exited', pause: 'paused' }
    container.state = states[words[1]!] ?? 'running'
    if (container.state === 'exited') container.pid = 0
    if (words[1] === 'start') container.pid = this.#next++
    return ''
  }

  #compose(words: string[]): string {
    if (words.includes('--services')) return this.services.join('\n')
    if (words.includes('ps')) return [...this.containers.keys()].join('\n')
    return words.some((word) => word.startsWith('df')) ? this.freeKib : ''
  }

  #inside(pid: number, [program = '', ...args]: string[], input: string): string {
    if (this.missing.has(program)) throw new FaultsError(`${program} is not there`)
    if (program === 'iptables-restore') this.rules.set(pid, input)
    if (program === 'tc' && args[0] === '-batch') this.queues.set(pid, input)
    if (program === 'tc' && args.includes('eth0')) this.queues.delete(pid)
    return ''
  }

  #inspect(id: string): unknown {
    const { state, pid, address } = this.containers.get(id)!
    const node = id.slice(2)
    return {
      Id: id,
      State: { Status: state, Pid: pid, ExitCode: 0 },
      Config: {
        Labels: { 'com.docker.compose.service': node },
        Env: [`BALSA_ID=${node}`, 'BALSA_LISTEN=0.0.0.0:7001'],
      },
      NetworkSettings: { Networks: { default: { IPAddress: address } } },
      HostConfig: {
        PortBindings: this.published ? { '7001/tcp': [{ HostIp: '', HostPort: `1700${node[1]}` }] } : null,
      },
    }
  }

  rulesOf(id: string): string[] {
    const text = this.rules.get(this.containers.get(`c-${id}`)!.pid) ?? ''
    return text.split('\n').filter((line) => line.startsWith('-A'))
  }
}

const open = (engine: FakeEngine) => openComposeTarget({ files: ['a.yaml'], run: engine.run })

describe('a compose project as a target', () => {
  it('knows its nodes and where their ports are published', async () => {
    const target = await open(new FakeEngine())
    assert.deepEqual(target.nodes, ['n1', 'n2', 'n3'])
    assert.deepEqual(
      [...target.endpoints.values()],
      ['127.0.0.1:17001', '127.0.0.1:17002', '127.0.0.1:17003'],
    )
    assert.deepEqual([...target.supports].sort(), ['cut', 'disk', 'kill', 'pause', 'slow', 'stop'])
  })

  it('refuses a project whose ports are not published', async () => {
    const engine = new FakeEngine()
    engine.published = false
    await assert.rejects(open(engine), /client port of n1 is not published/)
  })

  it('reads what a node has logged since a moment', async () => {
    const target = await open(new FakeEngine())
    assert.equal(await target.log('n2', Date.UTC(2026, 0, 2)), '--since 2026-01-02T00:00:00.000Z c-n2\n')
  })

  it('cuts one way, in the network of who would have heard it', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    await target.cut('n1', 'n2')
    assert.deepEqual(engine.rulesOf('n2'), ['-A BALSA-CHAOS -s 10.0.0.1 -j DROP'])
    assert.deepEqual(engine.rulesOf('n1'), [])
    await target.heal()
    assert.deepEqual(engine.rulesOf('n2'), [])
  })

  it('cuts again in the new network of a node that was started', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    await target.cut('n1', 'n2')
    await target.kill('n2')
    await target.kill('n1')
    await target.start('n2')
    engine.containers.get('c-n1')!.address = '10.0.0.9'
    await target.start('n1')
    assert.deepEqual(engine.rulesOf('n2'), ['-A BALSA-CHAOS -s 10.0.0.9 -j DROP'])
  })

  it('writes what is asked for at once in one go', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    await Promise.all([target.cut('n1', 'n2'), target.cut('n3', 'n2'), target.cut('n2', 'n1')])
    assert.equal(engine.rulesOf('n2').length, 2)
    const written = engine.commands.filter((command) => command.includes('iptables-restore'))
    assert.ok(written.length <= 5, `${written.length} times`)
  })

  it('loses and delays both ways', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    await target.slow('n1', { delayMs: 20, lossRate: 0.25 })
    assert.match(
      engine.rulesOf('n1').join('\n'),
      /-s 10\.0\.0\.2 -m statistic .*--probability 0\.2500 -j DROP/,
    )
    assert.match(engine.rulesOf('n2').join('\n'), /-s 10\.0\.0\.1 .*0\.2500/)
    assert.doesNotMatch(engine.rulesOf('n2').join('\n'), /10\.0\.0\.3/)
    const { pid } = engine.containers.get('c-n2')!
    assert.match(engine.queues.get(pid)!, /netem delay 20ms.*\n.*dst 10\.0\.0\.1\/32/)
    await target.heal()
    assert.equal(engine.queues.size, 0)
  })

  it('does not offer what the machine cannot do', async () => {
    const engine = new FakeEngine()
    engine.missing.add('tc')
    engine.services = ['n1', 'n2', 'n3']
    const target = await open(engine)
    assert.deepEqual([...target.supports].sort(), ['cut', 'kill', 'pause', 'stop'])
    await assert.rejects(target.slow('n1', { delayMs: 20, lossRate: 0 }), FaultsError)
    await assert.rejects(target.fillDisk('n1'), FaultsError)
  })

  it('never fills a disk that is not a small one', async () => {
    const engine = new FakeEngine()
    engine.freeKib = String(50 * 1024 * 1024)
    const target = await open(engine)
    await assert.rejects(target.fillDisk('n1'), /too many to fill/)
    assert.ok(!engine.commands.some((command) => command.includes('/dev/zero')))
  })

  it('gives back the space', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    await target.fillDisk('n2')
    assert.match(engine.commands.at(-1)!, /\/dev\/zero.*\/disks\/n2$/)
    engine.commands.length = 0
    await target.heal()
    assert.match(engine.commands[0]!, /rm -f.*\/disks\/n2$/)
  })

  it('takes what is done already for done', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    await target.start('n1')
    await target.resume('n1')
    await target.kill('n1')
    engine.commands.length = 0
    await target.kill('n1')
    assert.ok(!engine.commands.some((command) => /^docker kill/.test(command)))
  })

  it('pauses again where the first try did not catch every thread', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    engine.unfreezable = 3
    await target.pause('n1')
    assert.equal(engine.containers.get('c-n1')!.state, 'paused')
    engine.unfreezable = 100
    await assert.rejects(target.pause('n2'), /unable to freeze/)
  })

  it('does not wait for the engine where a node ended by itself', async () => {
    const engine = new FakeEngine()
    const target = await open(engine)
    Object.assign(engine.containers.get('c-n1')!, { state: 'restarting', pid: 0 })
    await target.start('n1')
    assert.equal(engine.containers.get('c-n1')!.state, 'running')
    assert.match(engine.commands.slice(-2).join('\n'), /docker stop.*\n?.*docker start/)
  })
})
