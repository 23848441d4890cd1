import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pino } from 'pino'
import type { Clock } from '../../src/clock.ts'
import type { StopError } from '../../src/errors.ts'
import { DamagedDataError } from '../../src/errors.ts'
import { Prefix, prefixBytes } from '../../src/kv/layout.ts'
import { Scrubber } from '../../src/server/scrubber.ts'
import { compareStates, StateDigests } from '../../src/server/state-digests.ts'
import type { StateDigest } from '../../src/server/state-digests.ts'
import { StateWatch } from '../../src/server/state-watch.ts'
import type { LoadedReplica } from '../../src/server/replica.ts'
import { load, replay } from '../damage/content.ts'
import { makeImage } from '../damage/images.ts'

const MiB = 1024 * 1024
const SILENT = pino({ level: 'silent' })

/** Time that passes as soon as somebody waits for it. */
class HastyClock implements Clock {
  #now = 0

  now(): number {
    return this.#now
  }

  after(milliseconds: number, run: () => void): { cancel(): void } {
    const immediate = setImmediate(() => {
      this.#now += milliseconds
      run()
    })
    return { cancel: () => clearImmediate(immediate) }
  }

  soon(run: () => void): void {
    setImmediate(run)
  }
}

describe('the comparison of states', () => {
  const digests = (text: string): StateDigest[] =>
    text.split(' ').map((part) => ({ index: Number(part.slice(1)), hash: part[0]! }))
  const compare = (own: string, peers: Record<string, string>, members: number) =>
    compareStates(
      digests(own),
      new Map(Object.entries(peers).map(([id, text]) => [id, text === '' ? [] : digests(text)])),
      members,
    )

  it('finds nothing where states are the same, or have no entry in common', () => {
    assert.equal(compare('a1 b2 c3', { n2: 'a1 b2', n3: 'b2 c3 d4' }, 3), undefined)
    assert.equal(compare('a1 b2', { n2: 'x7', n3: '' }, 3), undefined)
    assert.equal(compare('a1', {}, 1), undefined)
  })

  it('tells whose is wrong where a majority agrees', () => {
    assert.deepEqual(compare('a1 x2', { n2: 'a1 b2', n3: 'b2 c3' }, 3), {
      index: 2,
      others: ['n2', 'n3'],
      wrong: 'own',
    })
    assert.deepEqual(compare('a1 b2', { n2: 'x2', n3: 'b2' }, 3), {
      index: 2,
      others: ['n2'],
      wrong: 'others',
    })
  })

  it('tells nobody wrong where there is no majority of the cluster', () => {
    assert.equal(compare('a1', { n2: 'b1' }, 3)?.wrong, undefined)
    assert.equal(compare('a1', { n2: 'b1' }, 2)?.wrong, undefined)
    assert.equal(compare('a1', { n2: 'b1', n3: 'b1' }, 5)?.wrong, undefined)
    assert.equal(compare('a1', { n2: 'b1', n3: 'c1' }, 3)?.wrong, undefined)
    assert.deepEqual(compare('a1', { n2: 'b1' }, 3)?.others, ['n2'])
  })

  it('takes the newest entry that both know', () => {
    assert.equal(compare('a1 b2 c3', { n2: 'a1 x3' }, 3)?.index, 3)
    assert.equal(compare('a1 x2 c3', { n2: 'a1 b2 c3' }, 3), undefined)
  })
})

describe('a node that watches the states', () => {
  function watching(own: string, answers: Record<string, readonly StateDigest[] | Error>) {
    const digests = new StateDigests()
    digests.add(10, own)
    const told: string[] = []
    const watch = new StateWatch(
      {
        digests,
        peers: Object.keys(answers),
        async ask(id) {
          const answer = answers[id]!
          if (answer instanceof Error) throw answer
          return answer
        },
        clock: new HastyClock(),
        logger: SILENT,
        intervalMs: 1000,
      },
      {
        damaged: (error) => told.push(`damaged: ${error.message}`),
        suspicious: () => told.push('suspicious'),
      },
    )
    return { watch, told, digests }
  }
  const at10 = (hash: string): StateDigest[] => [{ index: 10, hash }]

  it('stops it where a majority contradicts it', async () => {
    const { watch, told } = watching('x', { n2: at10('a'), n3: at10('a') })
    await watch.look()
    assert.equal(told.length, 1)
    assert.match(told[0]!, /After entry 10 .* n2 and n3.*balsa recover --data DIR --rebuild/)
  })

  it('sounds the alarm where another one differs, until it does no more', async () => {
    const answers = { n2: at10('x'), n3: at10('a') }
    const { watch, told } = watching('a', answers)
    await watch.look()
    assert.match(watch.alarm!, /after entry 10 .* n2: a majority has this node's/)
    answers.n2 = at10('a')
    await watch.look()
    assert.deepEqual([watch.alarm, told], [undefined, []])
  })

  it('looks closely at its own where nobody can tell', async () => {
    const { watch, told } = watching('a', { n2: at10('x'), n3: new Error('unreachable') })
    await watch.look()
    assert.deepEqual(told, ['suspicious'])
    assert.match(watch.alarm!, /nobody can tell/)
  })

  it('keeps the newest digests, and not for ever', () => {
    const digests = new StateDigests()
    for (let index = 1; index <= 5000; index++) digests.add(index, 'a')
    assert.equal(digests.list.at(-1)!.index, 5000)
    assert.ok(digests.list.length >= 256 && digests.list.length <= 512)
  })
})

describe('scrubbing', () => {
  let parent = ''
  let image = ''
  let loaded: LoadedReplica
  before(async () => {
    parent = mkdtempSync(join(tmpdir(), 'balsa-scrub-'))
    image = (await makeImage(parent, 3, 2)).directory
  })
  after(() => rmSync(parent, { recursive: true, force: true }))

  /** Runs one pass over a copy of the image while it is open. */
  async function pass(
    damage: (directory: string, loaded: LoadedReplica) => Promise<void> | void,
    rate = 1024 * MiB,
  ): Promise<{ error: StopError | undefined; milliseconds: number; bytes: number }> {
    const directory = mkdtempSync(join(parent, 'open-'))
    cpSync(image, directory, { recursive: true })
    loaded = await load(directory)
    await replay(loaded)
    await damage(directory, loaded)
    const clock = new HastyClock()
    const settings = { scrubIntervalMs: 3_600_000, scrubBytesPerSecond: rate }
    let scrubber: Scrubber | undefined
    try {
      return await new Promise((resolve) => {
        const began = clock.now()
        const logger = pino(
          {},
          {
            write(line: string) {
              const { bytes, err } = JSON.parse(line) as { bytes?: number; err?: unknown }
              if (err === undefined) {
                resolve({ error: undefined, milliseconds: clock.now() - began, bytes: bytes! })
                void scrubber?.stop()
              }
            },
          },
        )
        const failed = (error: StopError) => resolve({ error, milliseconds: clock.now() - began, bytes: 0 })
        scrubber = new Scrubber({ directory: loaded.directory, clock, logger, failed }, settings)
        scrubber.soon()
      })
    } finally {
      await loaded.directory.close()
    }
  }

  it('finds nothing where nothing is damaged, and reads no faster than it may', async () => {
    const { error, milliseconds, bytes } = await pass(() => {}, 100_000)
    assert.equal(error, undefined)
    assert.ok(bytes > 300_000, `${bytes} bytes, of which the first 256 KiB need not wait`)
    const fastest = ((bytes - 256 * 1024) / 100_000) * 1000
    assert.ok(milliseconds >= fastest && milliseconds < (bytes / 100_000) * 1000 + 1000, `${milliseconds} ms`)
  })

  it('finds a flipped bit in the tables of log and state, and names the file', async () => {
    for (const database of ['log', 'state-1']) {
      let table = ''
      const { error } = await pass((directory) => {
        const name = readdirSync(join(directory, database)).find((file) => file.endsWith('.ldb'))!
        table = join(directory, database, name)
        const bytes = readFileSync(table)
        bytes[bytes.length >> 1]! ^= 0x10
        writeFileSync(table, bytes)
      })
      assert.ok(error instanceof DamagedDataError, String(error))
      assert.ok(error.message.includes(table), error.message)
    }
  })

  it('finds records that are gone, though every file is whole', async () => {
    const { error } = await pass(async (_, { directory: { stateStore } }) => {
      for await (const page of stateStore.scan(prefixBytes(Prefix.Key))) {
        await stateStore.write([[page[0]![0], undefined]])
        break
      }
    })
    assert.ok(error instanceof DamagedDataError, String(error))
    assert.match(error.message, /records are missing or too many/)
  })
})
