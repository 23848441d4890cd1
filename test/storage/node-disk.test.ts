import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { systemClock } from '../../src/clock.ts'
import { DamagedDataError, DiskError, DiskFullError, WrongDirectoryError } from '../../src/errors.ts'
import { openDataDirectory } from '../../src/storage/data-directory.ts'
import { openFailure, writeFailure } from '../../src/storage/disk-failure.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'

const N1 = { nodeId: 'n1', clusterName: 'balsa', members: ['n1', 'n2', 'n3'], clock: systemClock() }
const OPTIONS = { createIfMissing: true, writeBufferSize: 1 << 20, cacheSize: 1 << 20 }
const APPENDER = join(import.meta.dirname, 'appender.ts')

describe('NodeDisk', () => {
  let base: string
  let count = 0
  before(async () => (base = await mkdtemp(join(tmpdir(), 'balsa-disk-'))))
  after(() => rm(base, { recursive: true }))
  const newPath = () => join(base, String(++count), 'data')

  // The first: nothing before it may have begun the second copy's thread.
  it(
    'has a thread more for the log, and none for another database',
    { skip: process.platform !== 'linux' },
    async () => {
      /** How many threads this process has when the database has written and sorted something. */
      const threadsWith = async (name: string): Promise<number> => {
        const disk = await NodeDisk.open(newPath())
        const database = await disk.openDatabase(name, OPTIONS)
        const [from, upTo] = [Buffer.from('a'), Buffer.from('z')]
        await database.batch().put(from, upTo).put(upTo, from).write({ sync: true })
        await database.compactRange(from, upTo)
        await database.close()
        return readdirSync('/proc/self/task').length
      }
      const before = await threadsWith('state-1')
      assert.equal(await threadsWith('state-2'), before)
      assert.equal(await threadsWith('log'), before + 1)
      assert.equal(await threadsWith('log'), before + 1)
    },
  )

  it(
    'keeps every acknowledged append over kill -9, and a log that fits its mark',
    { timeout: 60_000 },
    async () => {
      const path = newPath()
      for (const acknowledgements of [1, 37, 90]) {
        const lines = await appendUntilKilled(path, acknowledgements)
        const acknowledged = lines.findLast((line) => line.startsWith('done '))!.slice(5)
        const tried = lines.at(-1)!.slice(lines.at(-1)!.indexOf(' ') + 1)
        const directory = await openDataDirectory(await NodeDisk.open(path), N1)
        const { last, hardState } = await directory.logStore.open({ tailBytes: 0, anchorIndex: 0 })
        await directory.close()
        const found = `${last.index} ${last.term} ${last.checksum} ${hardState.currentTerm}`
        // The append that was under way may be there or not; the chained checksum stands for the whole log.
        assert.ok(found === acknowledged || found === tried, `${found}: neither ${acknowledged} nor ${tried}`)
      }
    },
  )

  it('has two copies of LevelDB, of one version', async () => {
    const versionOf = async (copy: string): Promise<unknown> => {
      const file = join(import.meta.dirname, '../../node_modules', copy, 'package.json')
      return (JSON.parse(await readFile(file, 'utf8')) as { version: unknown }).version
    }
    assert.equal(await versionOf('second-level'), await versionOf('classic-level'))
  })

  it('makes no folder for a database that is not there', async () => {
    const disk = await NodeDisk.open(newPath())
    await assert.rejects(disk.openDatabase('log', { ...OPTIONS, createIfMissing: false }), DamagedDataError)
    assert.deepEqual(await readdir(disk.path), [])
  })

  it('refuses a database that lost its CURRENT file, and leaves the rest as it is', async () => {
    const disk = await NodeDisk.open(newPath())
    const database = await disk.openDatabase('log', OPTIONS)
    await database.batch().put(Buffer.from('a'), Buffer.from('b')).write({ sync: true })
    await database.close()
    await rm(join(disk.path, 'log', 'CURRENT'))
    const files = await readdir(join(disk.path, 'log'))
    for (const createIfMissing of [true, false]) {
      await assert.rejects(disk.openDatabase('log', { ...OPTIONS, createIfMissing }), (error: unknown) => {
        assert.ok(error instanceof DamagedDataError)
        assert.match(error.message, /log has \d+\.log but no CURRENT file/)
        return true
      })
    }
    assert.deepEqual(await readdir(join(disk.path, 'log')), files)
  })

  it('says that a database is broken, or in use', async () => {
    const disk = await NodeDisk.open(newPath())
    const database = await disk.openDatabase('log', OPTIONS)
    await assert.rejects(disk.openDatabase('log', OPTIONS), (error: unknown) => {
      assert.ok(error instanceof WrongDirectoryError)
      assert.match(error.message, /another process uses this directory/)
      return true
    })
    await database.close()
    await writeFile(join(disk.path, 'log', 'CURRENT'), 'garbage')
    await assert.rejects(disk.openDatabase('log', OPTIONS), DamagedDataError)
  })

  it('replaces files whole, lists no temporary ones, and reads what is missing as undefined', async () => {
    const disk = await NodeDisk.open(newPath())
    await writeFile(join(disk.path, 'identity.tmp'), 'left by a crash, longer than what replaces it')
    await disk.replaceFile('identity', Buffer.from('one'))
    await disk.replaceFile('identity', Buffer.from('two'))
    assert.equal(Buffer.from((await disk.readFile('identity'))!).toString(), 'two')
    assert.equal(await disk.readFile('nothing'), undefined)
    await writeFile(join(disk.path, 'other.tmp'), '')
    assert.deepEqual(await disk.list(), ['identity'])
  })

  it('makes a slot file of its size, also from a shorter one, and writes in place', async () => {
    const disk = await NodeDisk.open(newPath())
    await writeFile(join(disk.path, 'mark'), 'abc')
    const file = await disk.openSlotFile('mark', 10)
    file.write(8, Buffer.from('xy'))
    await file.sync()
    await file.close()
    assert.equal(Buffer.from((await disk.readFile('mark'))!).toString(), 'abc\0\0\0\0\0xy')
    const again = await disk.openSlotFile('mark', 10)
    await again.close()
    assert.equal((await stat(join(disk.path, 'mark'))).size, 10)
  })

  it('removes a database', async () => {
    const disk = await NodeDisk.open(newPath())
    await (await disk.openDatabase('state-2', OPTIONS)).close()
    await disk.removeDatabase('state-2')
    assert.deepEqual(await disk.list(), [])
  })

  it('refuses a path that is a file', async () => {
    const file = join(base, 'file')
    await writeFile(file, '')
    await assert.rejects(NodeDisk.open(file), WrongDirectoryError)
    await assert.rejects(NodeDisk.open(join(file, 'below')), WrongDirectoryError)
  })
})

describe('failures of the disk', () => {
  it('are told apart', () => {
    const coded = (message: string, code?: string) => Object.assign(new Error(message), { code })
    const wrapped = new Error('Database failed to open', { cause: coded('IO error: lock x', 'LEVEL_LOCKED') })
    assert.ok(openFailure(wrapped, 'x') instanceof WrongDirectoryError)
    const full = coded('IO error: x/000003.log: No space left on device', 'LEVEL_IO_ERROR')
    assert.ok(writeFailure(full, 'x') instanceof DiskFullError)
    assert.ok(openFailure(full, 'x') instanceof DiskFullError)
    assert.ok(writeFailure(coded('write', 'ENOSPC'), 'x') instanceof DiskFullError)
    assert.ok(writeFailure(coded('Input/output error', 'LEVEL_IO_ERROR'), 'x') instanceof DiskError)
    const gone = coded('IO error: x/000005.ldb: No such file or directory', 'LEVEL_IO_ERROR')
    assert.ok(openFailure(gone, 'x') instanceof DamagedDataError)
    const passed = new DiskFullError('as it is')
    assert.equal(writeFailure(passed, 'x'), passed)
  })
})

/** Runs the appender, kills it at some moment after so many acknowledgements, and gives all that it said. */
async function appendUntilKilled(path: string, acknowledgements: number): Promise<string[]> {
  const child = spawn(process.execPath, [...RUN_TYPESCRIPT, APPENDER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines: string[] = []
  let left = acknowledgements
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (line.startsWith('done ') && --left === 0) child.kill('SIGKILL')
  }
  await exited
  assert.equal(child.signalCode, 'SIGKILL')
  return lines
}
