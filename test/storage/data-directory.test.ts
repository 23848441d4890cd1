import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { DamagedDataError, WrongDirectoryError } from '../../src/errors.ts'
import { LOG_START } from '../../src/raft/types.ts'
import { encodeChecked } from '../../src/storage/checked-file.ts'
import { checkAnchor, openDataDirectory } from '../../src/storage/data-directory.ts'
import type { DataDirectory } from '../../src/storage/data-directory.ts'
import type { Disk } from '../../src/storage/disk.ts'
import { clusterIdOf } from '../../src/storage/identity.ts'
import { commands, endOf, write } from '../support/entries.ts'
import { CrashHere, FailingDisk } from '../support/failing-disk.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const N1 = { nodeId: 'n1', clusterName: 'balsa', members: ['n1', 'n2', 'n3'], clock: systemClock() }
const ALL = { tailBytes: 1 << 20, anchorIndex: 0 }

async function opened<T>(
  disk: Disk,
  use: (directory: DataDirectory) => Promise<T>,
  options: Partial<typeof N1> = {},
): Promise<T> {
  const directory = await openDataDirectory(disk, { ...N1, ...options })
  try {
    return await use(directory)
  } finally {
    await directory.close()
  }
}

describe('data directory', () => {
  it('is made at the first start and found again', async () => {
    const disk = new MemoryDisk()
    const first = await opened(disk, async (directory) => {
      assert.equal(directory.firstStart, true)
      return directory.identity
    })
    assert.ok(Number.isSafeInteger(first.incarnation) && first.incarnation > 0)
    assert.deepEqual(Buffer.from(first.clusterId), Buffer.from(clusterIdOf('balsa', ['n3', 'n2', 'n1'])))
    const again = await opened(disk, async (directory) => {
      assert.equal(directory.firstStart, false)
      return directory.identity
    })
    assert.deepEqual(again, { ...first, clusterId: again.clusterId })
    assert.deepEqual(Buffer.from(again.clusterId), Buffer.from(first.clusterId))
  })

  it('gives a wiped directory another incarnation', async () => {
    const incarnations = new Set<number>()
    for (let i = 0; i < 5; i++) {
      incarnations.add(await opened(new MemoryDisk(), async ({ identity }) => identity.incarnation))
    }
    assert.equal(incarnations.size, 5)
  })

  it('remembers the incarnations of peers', async () => {
    const disk = new MemoryDisk()
    await opened(disk, async (directory) => {
      assert.equal(directory.peerIncarnations().size, 0)
      await Promise.all([directory.rememberPeer('n2', 22), directory.rememberPeer('n3', 33)])
      await directory.rememberPeer('__proto__', 5)
      directory.peerIncarnations().clear()
      assert.equal(directory.peerIncarnations().size, 3)
    })
    await opened(disk, async (directory) => {
      const known = [...directory.peerIncarnations()].sort()
      assert.deepEqual(known, [
        ['__proto__', 5],
        ['n2', 22],
        ['n3', 33],
      ])
    })
  })

  it('can be used by one at a time', async () => {
    const disk = new MemoryDisk()
    await opened(disk, () => assert.rejects(openDataDirectory(disk, N1), WrongDirectoryError))
  })

  it('goes on with a first start that ended anywhere', async () => {
    let ended = 0
    for (let steps = 0; ; steps++) {
      const disk = new MemoryDisk()
      const crashed = await openDataDirectory(new FailingDisk(disk, steps), N1).then(
        () => false,
        (error: unknown) => {
          assert.ok(error instanceof CrashHere, String(error))
          return true
        },
      )
      disk.crash()
      const hadIdentity = (await disk.list()).includes('identity')
      const entries = commands(LOG_START, 1, 3)
      await opened(disk, async ({ firstStart, logStore }) => {
        assert.equal(firstStart, !hadIdentity, `after ${steps} steps`)
        const { last, hardState } = await logStore.open(ALL)
        assert.deepEqual([last, hardState.currentTerm], [LOG_START, 0])
        await logStore.append([write(entries, { currentTerm: 1, votedFor: 'n1' })])
      })
      await opened(disk, async ({ logStore }) => {
        assert.deepEqual((await logStore.open(ALL)).last, endOf(entries))
      })
      if (!crashed) break
      ended++
    }
    assert.ok(ended >= 14, `only ${ended} steps`)
  })

  it('does not take a used directory without identity for a new one', async () => {
    for (const alsoLost of [[], ['mark']]) {
      const disk = new MemoryDisk()
      await opened(disk, async ({ logStore }) => {
        await logStore.open(ALL)
        await logStore.append([write([], { currentTerm: 1, votedFor: 'n1' })])
      })
      for (const name of ['identity', ...alsoLost]) disk.removeFile(name)
      await assert.rejects(openDataDirectory(disk, N1), isDamage(/identity in memory is missing/))
    }
    const withoutLog = new MemoryDisk()
    await opened(withoutLog, async ({ logStore }) => {
      await logStore.open(ALL)
      await logStore.append([write([], { currentTerm: 1, votedFor: 'n1' })])
    })
    await withoutLog.removeDatabase('log')
    withoutLog.removeFile('identity')
    await assert.rejects(openDataDirectory(withoutLog, N1), isDamage(/identity in memory is missing/))
    const withState = new MemoryDisk()
    await opened(withState, ({ stateStore }) => stateStore.write([[Buffer.from('k'), Buffer.from('v')]]))
    withState.removeFile('identity')
    await assert.rejects(openDataDirectory(withState, N1), isDamage(/there is a state/))
  })

  it("refuses another node's, another cluster's, and another format's", async () => {
    const disk = new MemoryDisk()
    await opened(disk, async () => {})
    const refused = (options: Partial<typeof N1>, message: RegExp) =>
      assert.rejects(openDataDirectory(disk, { ...N1, ...options }), (error: unknown) => {
        assert.ok(error instanceof WrongDirectoryError, String(error))
        assert.match(error.message, message)
        return true
      })
    await refused({ nodeId: 'n2' }, /belongs to node n1, not to n2/)
    await refused({ clusterName: 'other' }, /cluster "balsa" of n1, n2, n3, not to "other" of n1, n2, n3/)
    await refused({ members: ['n1', 'n2'] }, /of n1, n2, n3, not to "balsa" of n1, n2\./)
    await opened(disk, async () => {}, { members: ['n2', 'n3', 'n1'] })
    await disk.replaceFile('identity', encodeChecked({ formatVersion: 3, somethingNew: true }))
    await refused(
      {},
      /has format version 3; this version of Balsa reads version 2.* wrote it, or a newer one\.$/,
    )
    await disk.replaceFile('identity', encodeChecked({ formatVersion: 1, somethingOld: true }))
    await refused({}, /has format version 1; this version of Balsa reads version 2.* wrote it\.$/)
  })

  it('refuses lost and broken files beside the log', async () => {
    for (const [damage, message] of [
      [(disk) => flip(disk, 'identity', 30), /identity in memory is broken/],
      [(disk) => flip(disk, 'peers', 1), /peers in memory is broken/],
      [async (disk) => disk.removeFile('peers'), /peers in memory is missing/],
      [(disk) => disk.removeDatabase('log'), /memory\/log is missing/],
      [(disk) => disk.removeDatabase('state-1'), /memory\/state-1 is missing/],
    ] satisfies [(disk: MemoryDisk) => Promise<void>, RegExp][]) {
      const disk = new MemoryDisk()
      await opened(disk, (directory) => directory.rememberPeer('n2', 22))
      await damage(disk)
      await assert.rejects(openDataDirectory(disk, N1), isDamage(message))
    }
  })

  it('holds the state to the log', async () => {
    const disk = new MemoryDisk()
    const entries = commands(LOG_START, 3, 5)
    await opened(disk, async ({ logStore }) => {
      await logStore.open(ALL)
      await logStore.append([write(entries)])
    })
    await opened(disk, async ({ logStore, path }) => {
      for (const state of [
        LOG_START,
        { index: 2, term: 3, checksum: entries[1]!.checksum },
        endOf(entries),
      ]) {
        checkAnchor(state, await logStore.open({ tailBytes: 0, anchorIndex: state.index }), path)
      }
      for (const [state, message] of [
        [{ index: 6, term: 3, checksum: 1 }, /up to entry 6, but the log ends with entry 5/],
        [
          { index: 2, term: 2, checksum: entries[1]!.checksum },
          /entry 2 of term 2 .* in the log entry 2 is of term 3/,
        ],
        [{ index: 2, term: 3, checksum: 1 }, /checksum 00000001/],
      ] as const) {
        const recovered = await logStore.open({ tailBytes: 0, anchorIndex: state.index })
        assert.throws(() => checkAnchor(state, recovered, path), isDamage(message))
      }
      const recovered = await logStore.open(ALL)
      const cut = { ...recovered, boundary: endOf(entries), anchor: undefined }
      assert.throws(() => checkAnchor(LOG_START, cut, path), isDamage(/the log begins after entry 5/))
    })
  })
})

describe('clusterIdOf', () => {
  it('depends on the name and the ids, not on their order, and not on how they are cut', () => {
    const id = (name: string, members: string[]) => Buffer.from(clusterIdOf(name, members)).toString('hex')
    assert.equal(id('balsa', ['n1', 'n2']), id('balsa', ['n2', 'n1']))
    assert.equal(id('balsa', ['n1']).length, 32)
    const others = [
      id('balsa', ['n1', 'n2']),
      id('balsa', ['n1,n2']),
      id('balsan1', ['n2']),
      id('b', ['n1', 'n2']),
    ]
    assert.equal(new Set(others).size, 4)
  })
})

async function flip(disk: Disk, name: string, position: number): Promise<void> {
  const content = (await disk.readFile(name))!
  content[position]! ^= 1
  await disk.replaceFile(name, content)
}

function isDamage(message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof DamagedDataError, String(error))
    assert.match(error.message, message)
    assert.match(error.message, /keep the directory for inspection/)
    return true
  }
}
