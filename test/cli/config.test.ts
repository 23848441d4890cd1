import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ConfigurationError } from '../../src/errors.ts'
import { nearest, resolveConfig } from '../../src/server/config.ts'
import type { ConfigSources } from '../../src/server/config.ts'
import { environmentName, SETTING_KEYS, SETTINGS } from '../../src/server/settings.ts'

const MIB = 1024 * 1024
const THREE = 'n1=10.0.0.1:8001,n2=10.0.0.2:8001,n3=10.0.0.3:8001'

function file(content: unknown): ConfigSources {
  return { file: { path: 'balsa.json', content } }
}

function problemsOf(sources: ConfigSources): string {
  try {
    resolveConfig(sources)
  } catch (error) {
    assert.ok(error instanceof ConfigurationError)
    assert.equal(error.exitCode, 2)
    return error.message
  }
  return assert.fail('the configuration was taken')
}

describe('the configuration of a node', () => {
  it('needs nothing: a cluster of one node on this machine', () => {
    const { config, warnings } = resolveConfig({})
    assert.deepEqual(
      { ...config, peers: [...config.peers] },
      {
        id: 'n1',
        dataDir: 'balsa-data/n1',
        listen: '127.0.0.1:7001',
        peerListen: '127.0.0.1:8001',
        advertise: '127.0.0.1:7001',
        peerAdvertise: '127.0.0.1:8001',
        peers: [['n1', '127.0.0.1:8001']],
        clusterName: 'balsa',
        heartbeatMs: 100,
        electionMs: 1000,
        maxKeyBytes: 4096,
        maxValueBytes: MIB,
        maxRequestBytes: 4 * MIB,
        maxWaitingProposals: 65_536,
        maxWaitingBytes: 64 * MIB,
        maxUnwrittenBytes: 256 * MIB,
        checkpointIntervalMs: 5000,
        checkpointBytes: 32 * MIB,
        logTailBytes: 16 * MIB,
        logKeepBytes: 64 * MIB,
        cacheBytes: 128 * MIB,
        minFreeBytes: 256 * MIB,
        autoCompaction: true,
        historyRevisions: 10_000,
        historyMs: 300_000,
        maxHistoryBytes: 512 * MIB,
        scrubIntervalMs: 6 * 3_600_000,
        scrubBytesPerSecond: 8 * MIB,
        compareStatesMs: 10_000,
        logLevel: 'info',
      },
    )
    assert.deepEqual(warnings, [])
    assert.ok(Object.isFrozen(config))
  })

  it('takes a flag over the environment over the file over the default', () => {
    const content = { heartbeatMs: 1, electionMs: 2000, clusterName: 'from-file', logLevel: 'warn' }
    const env = { BALSA_HEARTBEAT_MS: '2', BALSA_CLUSTER_NAME: 'from-env', BALSA_DATA: '' }
    const flags = { heartbeatMs: '3' }
    const { config } = resolveConfig({ ...file(content), env, flags })
    assert.equal(config.heartbeatMs, 3)
    assert.equal(config.clusterName, 'from-env')
    assert.equal(config.electionMs, 2000)
    assert.equal(config.logLevel, 'warn')
    assert.equal(config.dataDir, 'balsa-data/n1', 'an empty variable counts as none')
  })

  it('takes peers as text, and in a file as an object too', () => {
    const members = { n1: '10.0.0.1:8001', n2: '10.0.0.2:8001' }
    const wanted = Object.entries(members)
    const asText = resolveConfig({ flags: { id: 'n2', peers: ' n1=10.0.0.1:8001, n2=10.0.0.2:8001 ' } })
    assert.deepEqual([...asText.config.peers], wanted)
    assert.equal(asText.config.peerAdvertise, '10.0.0.2:8001')
    const asObject = resolveConfig(file({ id: 'n2', peers: members }))
    assert.deepEqual([...asObject.config.peers], wanted)
  })

  it('reads sizes with units', () => {
    const flags = { maxValueBytes: '2 MiB', maxKeyBytes: '8KiB', cacheBytes: '0', logTailBytes: '1gib' }
    const { config } = resolveConfig({ flags })
    assert.equal(config.maxValueBytes, 2 * MIB)
    assert.equal(config.maxKeyBytes, 8192)
    assert.equal(config.cacheBytes, 0)
    assert.equal(config.logTailBytes, 1024 * MIB)
  })

  it('advertises the host of its peer address where it listens on all addresses', () => {
    const flags = { id: 'n2', peers: THREE, listen: '0.0.0.0:7001', peerListen: '[::]:8001' }
    const { config } = resolveConfig({ flags })
    assert.equal(config.advertise, '10.0.0.2:7001')
    assert.equal(config.peerAdvertise, '10.0.0.2:8001')
    const given = resolveConfig({ flags: { ...flags, advertise: 'db.example.org:80' } })
    assert.equal(given.config.advertise, 'db.example.org:80')
  })

  it('lets the system choose the ports of a single node', () => {
    const { config } = resolveConfig({ flags: { listen: '127.0.0.1:0', peerListen: '127.0.0.1:0' } })
    assert.equal(config.advertise, '127.0.0.1:0')
    assert.deepEqual([...config.peers], [['n1', '127.0.0.1:0']])
  })

  const refused: [string, ConfigSources, RegExp][] = [
    ['an id that is no name', { flags: { id: 'n 1' } }, /--id: "n 1" is not a node id; use .*n1/],
    [
      'an id that is not among the peers',
      { flags: { id: 'n4', peers: THREE } },
      /--id n4 .*add n4=host:port/,
    ],
    ['peers without an id', { flags: { peers: THREE } }, /--id is missing: say which of n1, n2, n3/],
    [
      'an address without a port',
      { flags: { listen: 'localhost' } },
      /--listen: "localhost" is not host:port/,
    ],
    ['a port out of range', { flags: { listen: 'a:70000' } }, /port 70000; give one from 0 to 65535/],
    ['port 0 to dial', { flags: { advertise: 'a:0' } }, /--advertise: .*port 0; give one from 1/],
    ['an IPv6 address without brackets', { flags: { listen: '::1:7001' } }, /not host:port.*\[::1\]:7001/],
    ['a wildcard to dial', { flags: { advertise: '0.0.0.0:7001' } }, /--advertise: .*every address/],
    [
      'a wildcard among the peers',
      { flags: { id: 'a', peers: 'a=0.0.0.0:1' } },
      /a has the address 0\.0\.0\.0/,
    ],
    [
      'a wildcard that nobody could dial',
      { flags: { peerListen: '0.0.0.0:8001' } },
      /--peer-listen 0\.0\.0\.0:8001 .*give --peer-advertise/,
    ],
    [
      'the same address for clients and peers',
      { flags: { listen: 'a:1', peerListen: 'a:1' } },
      /both a:1.*an address each/,
    ],
    [
      'an id twice among the peers',
      { flags: { id: 'a', peers: 'a=h:1,a=h:2' } },
      /--peers: a is there twice/,
    ],
    [
      'an address twice among the peers',
      { flags: { id: 'a', peers: 'a=h:1,b=h:1' } },
      /a and b have the same address h:1/,
    ],
    ['a peer without an id', { flags: { id: 'a', peers: 'h:1' } }, /"h:1" is not id=host:port/],
    ['no peers at all', { flags: { id: 'a', peers: ',' } }, /--peers: it is empty/],
    ['a flag given twice', { flags: { peers: ['a=h:1', 'b=h:2'] } }, /--peers is given 2 times/],
    [
      'a time that is no number',
      { flags: { heartbeatMs: '1e2' } },
      /--heartbeat-ms: "1e2" is not a whole number/,
    ],
    ['a time out of range', { env: { BALSA_ELECTION_MS: '0' } }, /BALSA_ELECTION_MS: 0 is out of range/],
    [
      'an election time-out below three heartbeats',
      { flags: { heartbeatMs: '400' } },
      /--election-ms 1000 is less than three heartbeats of 400 ms.*at least --election-ms 1200/,
    ],
    ['neither on nor off', { flags: { autoCompaction: 'yes' } }, /--auto-compaction: "yes".*on nor off/],
    ['a size in unknown units', { flags: { cacheBytes: '1MB' } }, /--cache-bytes: "1MB".*1MiB/],
    [
      'a request below key and value',
      { flags: { maxValueBytes: '4MiB' } },
      /--max-request-bytes .*at least 4198400/,
    ],
    [
      'waiting bytes below a request',
      { flags: { maxWaitingBytes: '1MiB' } },
      /--max-waiting-bytes .*one request/,
    ],
    [
      'a limit on unwritten state below a checkpoint',
      { flags: { maxUnwrittenBytes: '1MiB' } },
      /--max-unwritten-bytes .*--checkpoint-bytes/,
    ],
    ['an unknown log level', { flags: { logLevel: 'loud' } }, /--log-level: "loud".*trace, silent/],
    ['an empty name', { flags: { clusterName: ' ' } }, /--cluster-name: it is empty/],
    ['a file that is no object', file([]), /balsa\.json must hold a JSON object/],
    ['an unknown key', file({ electionMS: 1000 }), /unknown key "electionMS": did you mean "electionMs"\?/],
    ['a flag as a key', file({ 'peer-listen': 'a:1' }), /"peer-listen": did you mean "peerListen"\?/],
    ['a key like no other', file({ colour: 1 }), /unknown key "colour"\. Known are id, data, /],
    [
      'a value of the wrong type',
      file({ listen: null }),
      /"listen" in balsa\.json must be a text or a number/,
    ],
    ['a switch that is neither on nor off', file({ autoCompaction: 'maybe' }), /autoCompaction/],
    ['peers of the wrong type', file({ peers: ['a'] }), /"peers" in balsa\.json must be an object/],
    ['a wrong value in a file', file({ listen: 'x' }), /"listen" in balsa\.json: "x" is not host:port/],
  ]
  for (const [what, sources, message] of refused) {
    it(`refuses ${what}`, () => {
      const text = problemsOf(sources)
      assert.match(text, message)
      assert.match(text, /^The configuration is wrong: [^\n]*$/, 'one cause makes one problem')
    })
  }

  it('names all problems at once', () => {
    const flags = { id: 'n9', peers: 'n1=h:1,n1=h:2,n2', listen: 'nowhere', electionMs: 'soon' }
    const lines = problemsOf({ ...file({ lisen: 1 }), flags }).split('\n')
    assert.equal(lines[0], 'The configuration has 4 problems:')
    assert.match(lines[1]!, /lisen/)
    assert.match(lines[2]!, /--listen/)
    assert.match(lines[3]!, /--peers: n1 is there twice.*; "n2" is not id=host:port/)
    assert.match(lines[4]!, /--election-ms/)
    assert.equal(lines.length, 5)
  })

  it('warns of names in the environment that are near a setting, and of no others', () => {
    const env = {
      BALSA_HARTBEAT_MS: '5',
      BALSA_SHARED: 'x',
      BALSA_NODE: 'x',
      BALSA_XYZZY: '1',
      ELECTION_MS: '1',
    }
    const { config, warnings } = resolveConfig({ env })
    assert.deepEqual(warnings, [
      'BALSA_HARTBEAT_MS in the environment is not a setting: did you mean BALSA_HEARTBEAT_MS?',
    ])
    assert.equal(config.heartbeatMs, 100)
  })

  it('warns where the node says another address of itself than the others dial', () => {
    const { warnings } = resolveConfig({ flags: { id: 'n1', peers: THREE, peerAdvertise: '10.9.9.9:8001' } })
    assert.match(warnings.join(), /--peer-advertise is 10\.9\.9\.9:8001, but --peers has n1=10\.0\.0\.1:8001/)
  })

  describe('and the heap of its process', () => {
    const GIB = 1024 * MIB
    // As Node 20 has it on machines of 512 MiB, of 2 GiB and of 4 GiB.
    const [small, medium, large] = [259 * MIB, 1048 * MIB, 2096 * MIB]

    it('are as they should be where all that may be kept in memory has room', () => {
      const flags = { cacheBytes: '1GiB', maxUnwrittenBytes: '512MiB' }
      for (const sources of [{ heapBytes: medium }, { flags, heapBytes: large }, { flags }]) {
        assert.deepEqual(resolveConfig(sources).warnings, [])
      }
    })

    it('refuses limits that it cannot keep, and says how large the heap must be', () => {
      const flags = { cacheBytes: '8GiB' }
      const text = problemsOf({ flags, heapBytes: large })
      assert.match(text, /^The configuration is wrong: [^\n]*$/)
      assert.match(text, /--cache-bytes 8589934592 and --max-unwritten-bytes 268435456/)
      assert.match(text, /8832 MiB, but .* 2096 MiB\. Lower .* NODE_OPTIONS=--max-old-space-size=8832$/)
      assert.deepEqual(resolveConfig({ flags, heapBytes: 8832 * MIB }).warnings, [])
      assert.match(problemsOf({ flags, heapBytes: 8832 * MIB - 1 }), /8832 MiB, but/)
      assert.match(problemsOf({ env: { BALSA_MAX_UNWRITTEN_BYTES: '2GiB' }, heapBytes: large }), /may take/)
    })

    it('warns where there is too little for what a node needs by default, and starts all the same', () => {
      const sparing = { cacheBytes: '16MiB', maxUnwrittenBytes: '64MiB' }
      const shifted = { cacheBytes: '200MiB', maxUnwrittenBytes: '184MiB' }
      for (const flags of [{}, sparing, shifted]) {
        const { warnings } = resolveConfig({ flags, heapBytes: small })
        assert.match(warnings.join(), /may take \d+ MiB, but Node ends .* 259 MiB\. Lower the two, or raise/)
      }
      assert.match(problemsOf({ flags: { cacheBytes: '129MiB' }, heapBytes: small }), /may take 769 MiB/)
    })

    it('tells nothing of the heap where the limits are wrong in themselves', () => {
      assert.doesNotMatch(problemsOf({ flags: { cacheBytes: 'x' }, heapBytes: GIB / 4 }), /may take/)
    })
  })

  it('finds the nearest name only where it is near', () => {
    assert.equal(nearest('perrs', ['peers', 'listen']), 'peers')
    assert.equal(nearest('x', ['id', 'data']), undefined)
  })
})

describe('docs/configuration.md', () => {
  it('has the table of all settings, as the code has them', () => {
    const rows = SETTING_KEYS.map((key) => {
      const { flag, description, defaultText } = SETTINGS[key]
      const shown =
        defaultText.includes('`') || defaultText.includes(' ') ? defaultText : `\`${defaultText}\``
      return [`\`--${flag}\``, `\`${environmentName(flag)}\``, `\`${key}\``, shown, description]
    })
    const document = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    const table = document.split('\n').filter((line) => line.startsWith('|'))
    const cells = table.map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    assert.deepEqual(cells[0], ['Flag', 'Environment', 'File', 'Default', 'Meaning'])
    assert.deepEqual(cells.slice(2), rows)
  })
})
