import { join } from 'node:path'
import type { InjectedError } from '../cluster/support/injection.ts'

/** When in a node's life its disk fails. */
export type Phase = 'first start' | 'start after kill -9' | 'writes' | 'snapshot' | 'clean stop'

/** One place at which a node puts something on disk, and the system call that does it. */
export interface Step {
  readonly name: string
  readonly phase: Phase
  readonly call: string
  /** From the so-manieth of these calls on. */
  readonly nth: number
  /** What it concerns, within the data directory `at`. */
  readonly paths: (at: string) => readonly string[]
}

export const ERRORS: readonly InjectedError[] = Object.freeze(['EIO', 'ENOSPC'])

/** How far LevelDB's file numbers come in such a short life. */
const FILE_NUMBERS = 60

/** The files of a LevelDB database with this ending or beginning, whatever their numbers. */
function files(database: string, name: (number: string) => string): (at: string) => readonly string[] {
  return (at) =>
    Array.from({ length: FILE_NUMBERS }, (_, i) => join(at, database, name(`${i + 1}`.padStart(6, '0'))))
}

const wal = (database: string) => files(database, (number) => `${number}.log`)
const table = (database: string) => files(database, (number) => `${number}.ldb`)
const manifest = (database: string) => files(database, (number) => `MANIFEST-${number}`)
const newCurrent = (database: string) => files(database, (number) => `${number}.dbtmp`)
const file = (name: string) => (at: string) => [join(at, name)]
const folder = (at: string): readonly string[] => [at]

function step(phase: Phase, name: string, call: string, paths: Step['paths'], nth = 1): Step {
  return Object.freeze({ name, phase, call, nth, paths })
}

/** Every kind of write that a node makes, in the order in which it makes them. */
export const STEPS: readonly Step[] = Object.freeze([
  ...['log', 'state-1'].flatMap((database) => [
    step('first start', `${database}: first MANIFEST, written`, 'write', manifest(database)),
    step('first start', `${database}: first MANIFEST, synced`, 'fdatasync', manifest(database)),
    step('first start', `${database}: CURRENT, written`, 'write', newCurrent(database)),
    step('first start', `${database}: CURRENT, synced`, 'fdatasync', newCurrent(database)),
    step('first start', `${database}: CURRENT, put in place`, 'rename', newCurrent(database)),
    step('first start', `${database}: its folder, synced`, 'fdatasync,fsync', file(database)),
  ]),
  step('first start', 'log: made, written', 'write', wal('log')),
  step('first start', 'log: made, synced', 'fdatasync', wal('log')),
  step('first start', 'mark: made, written', 'pwrite64', file('mark')),
  step('first start', 'mark: made, synced', 'fsync', file('mark')),
  step('first start', 'mark: first content, written', 'pwrite64', file('mark'), 2),
  step('first start', 'mark: first content, synced', 'fdatasync', file('mark')),
  step('first start', 'peers file, written', 'write,pwrite64', file('peers.tmp')),
  step('first start', 'peers file, synced', 'fsync', file('peers.tmp')),
  step('first start', 'peers file, put in place', 'rename', file('peers.tmp')),
  step('first start', 'identity, written', 'write,pwrite64', file('identity.tmp')),
  step('first start', 'identity, synced', 'fsync', file('identity.tmp')),
  step('first start', 'identity, put in place', 'rename', file('identity.tmp')),
  step('first start', 'data directory, synced', 'fsync', folder),
  step('first start', 'data directory, synced once more', 'fsync', folder, 4),
  step('first start', 'term and vote: log, written', 'write', wal('log'), 2),
  step('first start', 'term and vote: log, synced', 'fdatasync', wal('log'), 2),
  step('first start', 'term and vote: mark, written', 'pwrite64', file('mark'), 3),
  step('first start', 'term and vote: mark, synced', 'fdatasync', file('mark'), 2),
  ...['log', 'state-1'].flatMap((database) => [
    step(
      'start after kill -9',
      `${database}: table of what was in the log, written`,
      'write',
      table(database),
    ),
    step('start after kill -9', `${database}: table, synced`, 'fdatasync', table(database)),
    step('start after kill -9', `${database}: MANIFEST, written`, 'write', manifest(database)),
    step('start after kill -9', `${database}: MANIFEST, synced`, 'fdatasync', manifest(database)),
    step('start after kill -9', `${database}: CURRENT, put in place`, 'rename', newCurrent(database)),
  ]),
  step('writes', 'log append, written', 'write', wal('log'), 12),
  step('writes', 'log append, synced', 'fdatasync', wal('log'), 12),
  step('writes', 'mark, written', 'pwrite64', file('mark'), 12),
  step('writes', 'checkpoint, written', 'write', wal('state-1'), 2),
  step('writes', 'checkpoint, synced', 'fdatasync', wal('state-1'), 2),
  step('snapshot', 'new state: first MANIFEST, written', 'write', manifest('state-2')),
  step('snapshot', 'new state: CURRENT, put in place', 'rename', newCurrent('state-2')),
  step('snapshot', 'new state: rows, written', 'write', wal('state-2')),
  step('snapshot', 'new state: rows, synced', 'fdatasync,fsync', wal('state-2')),
  step('snapshot', 'new state: its folder, synced', 'fdatasync,fsync', file('state-2')),
  step('snapshot', 'log: term, or the reset to the snapshot, synced', 'fdatasync', wal('log')),
  step('clean stop', 'last checkpoint, written', 'write', wal('state-1')),
  step('clean stop', 'last checkpoint, synced', 'fdatasync', wal('state-1')),
])
