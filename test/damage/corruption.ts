import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as path from 'node:path'
import type { Dice } from '../sim/engine/dice.ts'
import type { Image } from './images.ts'

/** Classes of files, each with the files of a data directory that are in it. */
export const FILE_CLASSES: Readonly<Record<string, (directory: string) => string[]>> = Object.freeze({
  'log WAL': (directory) => filesOf(directory, /^log$/, /\.log$/),
  'log tables': (directory) => filesOf(directory, /^log$/, /\.ldb$/),
  'state WAL': (directory) => filesOf(directory, /^state-/, /\.log$/),
  'state tables': (directory) => filesOf(directory, /^state-/, /\.ldb$/),
  MANIFEST: (directory) => filesOf(directory, /^(log|state-.*)$/, /^MANIFEST/),
  CURRENT: (directory) => filesOf(directory, /^(log|state-.*)$/, /^CURRENT$/),
  identity: () => ['identity'],
  mark: () => ['mark'],
  peers: () => ['peers'],
})

/** One change to one file. */
export interface Corruption {
  readonly fileClass: string
  /** Below the data directory. */
  readonly file: string
  /** What was done to it, in words. */
  readonly what: string
}

interface Target {
  readonly file: string
  readonly location: string
  readonly bytes: Buffer
  readonly image: Image
  readonly siblings: readonly string[]
}

/** Does something to the file; returns what, or undefined where that cannot be done to this file. */
type Kind = (target: Target, dice: Dice) => string | undefined

const KINDS: readonly Kind[] = Object.freeze([
  flipBit,
  flipBit,
  overwriteBytes,
  truncate,
  empty,
  remove,
  zeroBlock,
  swapWithOlder,
  swapWithOlder,
  swapWithSibling,
  append,
  dropMiddle,
])

/** Damages a file of this class in a copy of the image. */
export function corrupt(directory: string, image: Image, fileClass: string, dice: Dice): Corruption {
  const siblings = FILE_CLASSES[fileClass]!(directory)
  const file = dice.pick(siblings)
  const location = path.join(directory, file)
  for (;;) {
    // Read anew: a kind that does not apply leaves it as it was.
    const target = { file, location, bytes: readFileSync(location), image, siblings }
    const what = dice.pick(KINDS)(target, dice)
    if (what !== undefined) return { fileClass, file, what }
  }
}

function filesOf(directory: string, database: RegExp, file: RegExp): string[] {
  return readdirSync(directory)
    .filter((name) => database.test(name))
    .flatMap((name) => readdirSync(path.join(directory, name)).map((below) => path.join(name, below)))
    .filter((name) => file.test(path.basename(name)))
    .sort()
}

/** Links to the image's files must not be written through. */
function replace({ location }: Target, bytes: Uint8Array): void {
  rmSync(location)
  writeFileSync(location, bytes)
}

function flipBit(target: Target, dice: Dice): string | undefined {
  const { bytes } = target
  if (bytes.length === 0) return undefined
  const at = dice.below(bytes.length)
  bytes[at]! ^= 1 << dice.below(8)
  replace(target, bytes)
  return `a bit flipped in byte ${at} of ${bytes.length}`
}

function overwriteBytes(target: Target, dice: Dice): string | undefined {
  const { bytes } = target
  if (bytes.length === 0) return undefined
  const at = dice.below(bytes.length)
  const count = Math.min(bytes.length - at, 1 + dice.below(64))
  const before = Buffer.from(bytes.subarray(at, at + count))
  for (let i = at; i < at + count; i++) bytes[i] = dice.below(256)
  if (before.equals(bytes.subarray(at, at + count))) return undefined
  replace(target, bytes)
  return `${count} bytes overwritten from byte ${at} of ${bytes.length}`
}

function truncate(target: Target, dice: Dice): string | undefined {
  const { bytes } = target
  if (bytes.length === 0) return undefined
  const length = dice.below(bytes.length)
  replace(target, bytes.subarray(0, length))
  return `cut to ${length} of ${bytes.length} bytes`
}

function empty(target: Target): string | undefined {
  if (target.bytes.length === 0) return undefined
  replace(target, Buffer.alloc(0))
  return 'emptied'
}

function remove(target: Target): string {
  rmSync(target.location)
  return 'deleted'
}

function zeroBlock(target: Target, dice: Dice): string | undefined {
  const { bytes } = target
  const size = dice.pick([512, 4096, 32 * 1024])
  const at = size * dice.below(Math.max(1, Math.ceil(bytes.length / size)))
  const block = bytes.subarray(at, at + size)
  if (block.every((byte) => byte === 0)) return undefined
  block.fill(0)
  replace(target, bytes)
  return `${block.length} bytes zeroed from byte ${at} of ${bytes.length}`
}

function swapWithOlder(target: Target, dice: Dice): string | undefined {
  const copies = target.image.older.filter((older) => existsSync(path.join(older, target.file)))
  if (copies.length === 0) return undefined
  const older = dice.pick(copies)
  const bytes = readFileSync(path.join(older, target.file))
  if (bytes.equals(target.bytes)) return undefined
  replace(target, bytes)
  return `replaced by its copy in ${path.basename(older)} (${bytes.length} for ${target.bytes.length} bytes)`
}

function swapWithSibling(target: Target, dice: Dice): string | undefined {
  const others = target.siblings.filter((file) => file !== target.file)
  if (others.length === 0) return undefined
  const other = dice.pick(others)
  const bytes = readFileSync(path.join(target.image.directory, other))
  if (bytes.equals(target.bytes)) return undefined
  replace(target, bytes)
  return `replaced by ${other}`
}

function append(target: Target, dice: Dice): string {
  const tail = Buffer.from(Array.from({ length: 1 + dice.below(200) }, () => dice.below(256)))
  replace(target, Buffer.concat([target.bytes, tail]))
  return `${tail.length} bytes appended`
}

function dropMiddle(target: Target, dice: Dice): string | undefined {
  const { bytes } = target
  if (bytes.length < 2) return undefined
  const at = dice.below(bytes.length - 1)
  const count = 1 + dice.below(Math.min(bytes.length - at - 1, 5000))
  replace(target, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]))
  return `${count} bytes taken out from byte ${at} of ${bytes.length}`
}
