// A process that appends to the log of a data directory until it is killed, and says so: a line "try" with
// what the log will end with before each append, and a line "done" with the same after it.
import { writeSync } from 'node:fs'
import { systemClock } from '../../src/clock.ts'
import { openDataDirectory } from '../../src/storage/data-directory.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import { commands, endOf, write } from '../support/entries.ts'

const directory = await openDataDirectory(await NodeDisk.open(process.argv[2]!), {
  nodeId: 'n1',
  clusterName: 'balsa',
  members: ['n1', 'n2', 'n3'],
  clock: systemClock({ keepAlive: true }),
})
const found = await directory.logStore.open({ tailBytes: 0, anchorIndex: 0 })
let last = found.last
let term = found.hardState.currentTerm
for (let count = 1; ; count++) {
  // Now and then an election, with the entries of a deposed leader replaced.
  let hardState
  if (count % 5 === 0) hardState = { currentTerm: ++term, votedFor: `n${1 + (term % 3)}` }
  let from = last
  if (count % 15 === 0 && last.index > 60) {
    from = (await directory.logStore.read(last.index - 49, last.index, 1)).previous
  }
  const entries = commands(from, Math.max(term, from.term), 20, 300)
  const end = endOf(entries)
  const line = `${end.index} ${end.term} ${end.checksum} ${term}\n`
  writeSync(1, `try ${line}`)
  await directory.logStore.append([write(entries, hardState)])
  writeSync(1, `done ${line}`)
  last = end
}
