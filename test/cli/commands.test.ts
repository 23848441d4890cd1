import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  CompactedError,
  InvalidArgumentError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  TimeoutError,
  UnavailableError,
} from '../../src/errors.ts'
import { entry, fakeWorld } from './support/fake-context.ts'
import type { FakeOptions } from './support/fake-context.ts'

const DEFAULTS = { timeoutMs: 5000, consistency: 'linearizable' }

function reading(...found: (ReturnType<typeof entry> | undefined)[]): FakeOptions {
  return { methods: { read: () => Promise.resolve({ revision: 9, entries: found }) } }
}

const putting: FakeOptions = { methods: { putMany: () => Promise.resolve({ revision: 7 }) } }

describe('balsa get', () => {
  it('prints the value and a newline', async () => {
    const world = fakeWorld(reading(entry('greeting', 'hello')))
    assert.equal(await world.run('get', 'greeting'), 0)
    assert.equal(world.stdout.text, 'hello\n')
    assert.equal(world.stderr.text, '')
    assert.deepEqual(world.calls, [['read', ['greeting'], DEFAULTS]])
    assert.equal(world.open, 0)
  })

  it('prints nothing for a missing key and exits with 1, the other values printed', async () => {
    const world = fakeWorld(reading(entry('a', '1'), undefined, entry('c', '3')))
    assert.equal(await world.run('get', 'a', 'b', 'c'), 1)
    assert.equal(world.stdout.text, '1\n3\n')
    assert.equal(world.stderr.text, '')
  })

  it('reads at an older revision, which it shows', async () => {
    const world = fakeWorld(reading(entry('a', '1')))
    assert.equal(await world.run('get', 'a', '--revision', '9', '--json'), 0)
    assert.deepEqual(world.calls, [['read', ['a'], { ...DEFAULTS, revision: 9 }]])
    assert.equal((JSON.parse(world.stdout.text) as { revision: number }).revision, 9)
    for (const wrong of ['0', '-1', '1.5', 'x', '9007199254740993']) {
      assert.equal(await fakeWorld({}).run('get', 'a', `--revision=${wrong}`), 2, wrong)
    }
  })

  it('says which revision can be read where an older one is compacted away', async () => {
    const error = new CompactedError('the oldest that can be read is 5', { oldestRevision: 5 })
    const world = fakeWorld({ methods: { read: () => Promise.reject(error) } })
    assert.equal(await world.run('get', 'a', '--revision', '2', '--json'), 3)
    const { error: shown } = JSON.parse(world.stderr.text) as { error: Record<string, unknown> }
    assert.equal(shown.code, 'COMPACTED')
    assert.equal(shown.message, 'the oldest that can be read is 5')
  })

  it('leaves the newline out with --raw', async () => {
    const world = fakeWorld(reading(entry('a', '1'), entry('b', '')))
    assert.equal(await world.run('get', 'a', 'b', '--raw'), 0)
    assert.equal(world.stdout.text, '1')
  })

  it('prints bytes that are not text as they are', async () => {
    const world = fakeWorld(reading(entry('a', new Uint8Array([0xff, 0, 0x80]))))
    await world.run('get', 'a', '--raw')
    assert.deepEqual([...world.stdout.bytes], [0xff, 0, 0x80])
  })

  it('takes keys and prints values in hexadecimal and base64', async () => {
    const hex = fakeWorld(reading(entry('a', new Uint8Array([0xff, 0]))))
    await hex.run('get', '--hex', 'FF61')
    assert.equal(hex.stdout.text, 'ff00\n')
    assert.deepEqual(hex.calls[0]![1], ['\u00ffa'])
    const base64 = fakeWorld(reading(entry('a', new Uint8Array([0xff, 0]))))
    await base64.run('get', '--base64', '/2E=')
    assert.equal(base64.stdout.text, '/wA=\n')
    assert.deepEqual(base64.calls[0]![1], ['\u00ffa'])
  })

  it('prints JSON in the promised form', async () => {
    const world = fakeWorld(reading(entry('é', 'ü', 4), undefined, entry('b', new Uint8Array([0xff]), 5)))
    assert.equal(await world.run('get', 'é', 'x', 'b', '--json'), 1)
    assert.deepEqual(JSON.parse(world.stdout.text), {
      revision: 9,
      entries: [
        { key: 'é', value: 'ü', encoding: 'utf8', createRevision: 4, modRevision: 4, version: 1 },
        null,
        { key: 'Yg==', value: '/w==', encoding: 'base64', createRevision: 5, modRevision: 5, version: 1 },
      ],
    })
  })
})

describe('balsa put', () => {
  it('puts one pair and says the revision', async () => {
    const world = fakeWorld(putting)
    assert.equal(await world.run('put', 'greeting', 'hello'), 0)
    assert.equal(world.stdout.text, 'OK (revision 7)\n')
    assert.deepEqual(world.calls, [['putMany', [['greeting', 'hello']], DEFAULTS]])
  })

  it('puts several pairs in one call', async () => {
    const world = fakeWorld(putting)
    assert.equal(await world.run('put', 'a', '1', 'b', '', '--json'), 0)
    assert.deepEqual(JSON.parse(world.stdout.text), { revision: 7 })
    assert.deepEqual(world.calls[0]![1], [
      ['a', '1'],
      ['b', ''],
    ])
  })

  it('reads a value from standard input, byte by byte', async () => {
    const world = fakeWorld({ ...putting, stdin: new Uint8Array([0xff, 0, 10]) })
    assert.equal(await world.run('put', 'a', '-'), 0)
    assert.deepEqual(world.calls[0]![1], [['a', '\u00ff\u0000\n']])
  })

  it('reads hexadecimal from standard input with --hex', async () => {
    const world = fakeWorld({ ...putting, stdin: 'ff 00\n' })
    assert.equal(await world.run('put', '--hex', '61', '-'), 0)
    assert.deepEqual(world.calls[0]![1], [['a', '\u00ff\u0000']])
  })

  it('takes words that begin with a dash after --', async () => {
    const world = fakeWorld(putting)
    assert.equal(await world.run('put', '--', '-k', '--json'), 0)
    assert.deepEqual(world.calls[0]![1], [['-k', '--json']])
    assert.equal(world.stdout.text, 'OK (revision 7)\n')
  })

  const wrong: [string, string[], RegExp][] = [
    ['a key without a value', ['put', 'a', '1', 'b'], /"b" has no value/],
    ['no arguments', ['put'], /missing required argument/],
    ['two values from standard input', ['put', 'a', '-', 'b', '-'], /only one value can be "-"/],
    ['hexadecimal that is none', ['put', '--hex', '6', '61'], /"6" is not hex.*68656c6c6f/],
    ['base64 that is none', ['put', '--base64', 'YQ==', 'a$'], /"a\$" is not base64/],
    ['two notations', ['put', '--base64', '--hex', 'YQ==', 'YQ=='], /cannot be used with/],
    ['an unknown option', ['put', '--jsn', 'a', 'b'], /unknown option '--jsn'[^]*--json/],
    ['a time-out without a unit', ['put', 'a', 'b', '--time-out', '5'], /--time-out.*500ms, 5s or 1m/],
    ['a consistency that is none', ['get', 'a', '--consistency', 'maybe'], /linearizable, stale, lease/],
    ['an endpoint without a port', ['get', 'a', '--endpoints', 'localhost'], /"localhost" is not host:port/],
    ['an unknown command', ['gte', 'a'], /unknown command 'gte'[^]*get/],
    ['too many arguments', ['delete', 'a', 'b'], /too many arguments/],
  ]
  for (const [what, args, message] of wrong) {
    it(`refuses ${what} with exit code 2, before it connects`, async () => {
      const world = fakeWorld()
      assert.equal(await world.run(...args), 2)
      assert.match(world.stderr.text, message)
      assert.doesNotMatch(world.stderr.text, /\n {4}at /)
      assert.equal(world.stdout.text, '')
      assert.equal(world.connections.length, 0)
    })
  }
})

describe('balsa delete', () => {
  it('exits with 0 where the key was deleted', async () => {
    const world = fakeWorld({
      methods: { delete: () => Promise.resolve({ deleted: true, revision: 3 }) },
    })
    assert.equal(await world.run('delete', 'a'), 0)
    assert.equal(world.stdout.text, 'deleted (revision 3)\n')
  })

  it('exits with 1 where there was no such key', async () => {
    const methods = { delete: () => Promise.resolve({ deleted: false, revision: 3 }) }
    const world = fakeWorld({ methods })
    assert.equal(await world.run('delete', 'a'), 1)
    assert.equal(world.stdout.text, '')
    assert.match(world.stderr.text, /there is no key a/)
    const json = fakeWorld({ methods })
    assert.equal(await json.run('--json', 'delete', 'a'), 1)
    assert.deepEqual(JSON.parse(json.stdout.text), { deleted: false, revision: 3 })
    assert.equal(json.stderr.text, '')
  })
})

describe('balsa cas', () => {
  const succeeding: FakeOptions = {
    methods: { cas: () => Promise.resolve({ succeeded: true, revision: 8 }) },
  }
  const forms: [string[], unknown][] = [
    [['cas', 'k', 'old', 'new'], { value: 'old' }],
    [['cas', 'k', '--if-revision', '12', 'new'], { modRevision: 12 }],
    [['cas', '--if-revision', '12', 'k', 'new'], { modRevision: 12 }],
    [['cas', 'k', '--absent', 'new'], { absent: true }],
    [['cas', 'k', 'new', '--absent'], { absent: true }],
  ]
  for (const [args, condition] of forms) {
    it(`understands ${args.join(' ')}`, async () => {
      const world = fakeWorld(succeeding)
      assert.equal(await world.run(...args), 0)
      assert.deepEqual(world.calls, [['cas', 'k', condition, 'new', DEFAULTS]])
      assert.equal(world.stdout.text, 'OK (revision 8)\n')
    })
  }

  it('reads the old or the new value from standard input', async () => {
    const old = fakeWorld({ ...succeeding, stdin: 'x' })
    await old.run('cas', 'k', '-', 'new')
    assert.deepEqual(old.calls[0]!.slice(1, 4), ['k', { value: 'x' }, 'new'])
    const fresh = fakeWorld({ ...succeeding, stdin: 'x' })
    await fresh.run('cas', 'k', 'old', '-')
    assert.deepEqual(fresh.calls[0]!.slice(1, 4), ['k', { value: 'old' }, 'x'])
  })

  it('exits with 1 where the condition does not hold and says what is there', async () => {
    const current = entry('k', 'other', 5)
    const methods = { cas: () => Promise.resolve({ succeeded: false, revision: 8, current }) }
    const world = fakeWorld({ methods })
    assert.equal(await world.run('cas', 'k', 'old', 'new'), 1)
    assert.equal(world.stdout.text, '')
    assert.match(world.stderr.text, /not changed: .*revision 5 .*other/)
    const json = fakeWorld({ methods })
    assert.equal(await json.run('cas', 'k', 'old', 'new', '--json'), 1)
    const answer = JSON.parse(json.stdout.text) as { succeeded: boolean; current: { value: string } }
    assert.equal(answer.succeeded, false)
    assert.equal(answer.current.value, 'other')
  })

  const wrong: [string[], RegExp][] = [
    [['cas', 'k', 'old'], /cas takes a key, the value that must be there and the new value/],
    [['cas', 'k', '--absent', 'old', 'new'], /takes a key and the new value/],
    [['cas', 'k', '--if-revision', 'x', 'new'], /--if-revision.*whole number/],
    [['cas', 'k', '--if-revision', '1', '--absent', 'new'], /cannot be used with/],
    [['cas', 'k', '-', '-'], /only one value can be "-"/],
  ]
  for (const [args, message] of wrong) {
    it(`refuses ${args.join(' ')}`, async () => {
      const world = fakeWorld()
      assert.equal(await world.run(...args), 2)
      assert.match(world.stderr.text, message)
      assert.equal(world.calls.length, 0)
    })
  }
})

describe('global options', () => {
  const given = ['--endpoints', 'a:1,b:2', '--time-out', '250ms', '--consistency', 'stale', '--json']
  for (const [where, args] of [
    ['before', [...given, 'get', 'k']],
    ['after', ['get', 'k', ...given]],
  ] as const) {
    it(`are understood ${where} the command`, async () => {
      const world = fakeWorld(reading(entry('k', 'v')))
      assert.equal(await world.run(...args), 0)
      assert.deepEqual(world.connections, [{ endpoints: ['a:1', 'b:2'], timeoutMs: 250 }])
      assert.deepEqual(world.calls[0]![2], { timeoutMs: 250, consistency: 'stale' })
      assert.equal((JSON.parse(world.stdout.text) as { revision: number }).revision, 9)
    })
  }

  it('take the endpoints from BALSA_ENDPOINTS, and else from the default', async () => {
    const fromEnv = fakeWorld({ ...reading(entry('k', 'v')), env: { BALSA_ENDPOINTS: '[::1]:7, b:2' } })
    await fromEnv.run('get', 'k')
    assert.deepEqual(fromEnv.connections[0]!.endpoints, ['[::1]:7', 'b:2'])
    const plain = fakeWorld(reading(entry('k', 'v')))
    await plain.run('get', 'k')
    assert.deepEqual(plain.connections[0]!.endpoints, ['127.0.0.1:7001', '127.0.0.1:7002', '127.0.0.1:7003'])
  })

  it('refuse a wrong BALSA_ENDPOINTS by its name', async () => {
    const world = fakeWorld({ env: { BALSA_ENDPOINTS: 'nowhere' } })
    assert.equal(await world.run('get', 'k'), 2)
    assert.match(world.stderr.text, /BALSA_ENDPOINTS: "nowhere" is not host:port/)
  })
})

describe('errors', () => {
  const cases: [Error, number, string, boolean, RegExp][] = [
    [new UnavailableError('no node answers'), 3, 'UNAVAILABLE', false, /no node answers\n.*--endpoints/],
    [new TimeoutError('5 s are over'), 3, 'TIMEOUT', false, /5 s are over\n.*--time-out/],
    [new OutcomeUnknownError('cut off'), 3, 'OUTCOME_UNKNOWN', true, /cut off\n.*may have happened/],
    [new ResourceExhaustedError('full'), 3, 'RESOURCE_EXHAUSTED', false, /full\n.*later/],
    [new InvalidArgumentError('key too long'), 2, 'INVALID_ARGUMENT', false, /^balsa: key too long\n$/],
    [new Error('bug'), 70, 'INTERNAL', false, /mistake in Balsa[^]*at /],
  ]
  for (const [error, exitCode, code, outcomeUnknown, words] of cases) {
    it(`of code ${code} exit with ${exitCode}, in words and as JSON, and close the client`, async () => {
      const methods = { putMany: () => Promise.reject(error) }
      const world = fakeWorld({ methods })
      assert.equal(await world.run('put', 'a', 'b'), exitCode)
      assert.match(world.stderr.text, words)
      assert.equal(world.stdout.text, '')
      assert.equal(world.open, 0)

      const json = fakeWorld({ methods })
      assert.equal(await json.run('put', 'a', 'b', '--json'), exitCode)
      const told = JSON.parse(json.stderr.text) as { error: { message: string } }
      assert.deepEqual(told.error, { code, message: told.error.message, outcomeUnknown })
      assert.match(told.error.message, new RegExp(error.message))
    })
  }

  it('in the usage are JSON too', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('put', 'a', '--json'), 2)
    const { error } = JSON.parse(world.stderr.text) as { error: { code: string; outcomeUnknown: boolean } }
    assert.equal(error.code, 'INVALID_ARGUMENT')
    assert.equal(error.outcomeUnknown, false)
  })
})

describe('help', () => {
  it('is printed on standard output where it was asked for', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('--help'), 0)
    for (const name of ['serve', 'cluster', 'get', 'put', 'delete', 'cas', 'status', 'shell']) {
      assert.match(world.stdout.text, new RegExp(`^  ${name} `, 'm'))
    }
    const get = fakeWorld()
    assert.equal(await get.run('get', '--help'), 0)
    assert.match(get.stdout.text, /--raw[^]*--time-out/)
  })

  it('is printed on standard error where the command is missing, which is wrong usage', async () => {
    const world = fakeWorld()
    assert.equal(await world.run(), 2)
    assert.match(world.stderr.text, /Usage: balsa/)
    assert.equal(world.stdout.text, '')
  })

  it('tells the version', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('--version'), 0)
    assert.equal(world.stdout.text, '1.2.3\n')
  })
})

describe('balsa compact', () => {
  const compacting: FakeOptions = { methods: { compact: () => Promise.resolve({ revision: 12 }) } }

  it('gives up history and says where the store is', async () => {
    const world = fakeWorld(compacting)
    assert.equal(await world.run('compact', '7'), 0)
    assert.equal(world.stdout.text, 'history before revision 7 is given up (the store is at 12)\n')
    assert.deepEqual(world.calls, [['compact', 7, DEFAULTS]])
    const json = fakeWorld(compacting)
    await json.run('compact', '7', '--json')
    assert.deepEqual(JSON.parse(json.stdout.text), { revision: 12 })
  })

  it('takes one whole number from 1', async () => {
    for (const wrong of [[], ['0'], ['x'], ['7', '8']]) {
      assert.equal(await fakeWorld(compacting).run('compact', ...wrong), 2, wrong.join(' '))
    }
  })
})
