/** A value that is not what its setting takes. The message says what is wrong and what to give instead. */
export class SettingProblem extends Error {
  override readonly name = 'SettingProblem'
}

/** One row of the table from which the flags, the environment's names, the file's keys and the documentation come. */
export interface Setting<T> {
  /** The flag without its dashes, such as `peer-listen`. */
  readonly flag: string
  /** What stands for the value in the help. */
  readonly placeholder: string
  readonly description: string
  /** What it is where nothing is given, in words or as it would be typed. */
  readonly defaultText: string
  /** What it is where nothing is given; undefined where that depends on other settings. */
  readonly defaultValue: T | undefined
  /** Reads it as typed. Throws a SettingProblem. */
  readonly parse: (text: string) => T
}

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

/** Reads a whole number within bounds. Throws a SettingProblem. */
export function parseCount(text: string, unit: string, lowest: number, highest: number): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN
  if (Number.isNaN(value)) throw new SettingProblem(`"${text}" is not a whole number${unit}`)
  if (value < lowest || value > highest) {
    throw new SettingProblem(`${value} is out of range; give ${lowest} to ${highest}${unit}`)
  }
  return value
}

const BYTE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['kib', 1024],
  ['mib', 1024 ** 2],
  ['gib', 1024 ** 3],
])

function parseBytes(text: string, lowest: number, highest: number): number {
  const match = /^(\d+)\s*([A-Za-z]*)$/.exec(text.trim())
  const scale = BYTE_UNITS.get((match?.[2] ?? '').toLowerCase())
  if (!match || scale === undefined) {
    throw new SettingProblem(`"${text}" is not a number of bytes; give for example 1048576 or 1MiB`)
  }
  const value = Number(match[1]) * scale
  if (value < lowest || value > highest) {
    throw new SettingProblem(
      `${text.trim()} is out of range; give ${formatBytes(lowest)} to ${formatBytes(highest)}`,
    )
  }
  return value
}

/** Writes a number of bytes as `parseBytes` reads it: 1MiB rather than 1048576 where it is exact. */
function formatBytes(bytes: number): string {
  const unit = [...BYTE_UNITS].findLast(([, scale]) => scale > 1 && bytes >= scale && bytes % scale === 0)
  return unit
    ? `${bytes / unit[1]}${unit[0].replace(/^./, (first) => first.toUpperCase()).replace('ib', 'iB')}`
    : `${bytes}`
}

/** A setting that is text. */
export function text(
  flag: string,
  placeholder: string,
  defaultText: string,
  description: string,
  parse: (text: string) => string,
): Setting<string> {
  return Object.freeze({ flag, placeholder, description, defaultText, defaultValue: undefined, parse })
}

/** A setting that is a number of milliseconds, from 1. */
export function milliseconds(
  flag: string,
  value: number,
  highest: number,
  description: string,
): Setting<number> {
  const parse = (given: string) => parseCount(given, ' of milliseconds', 1, highest)
  return Object.freeze({
    flag,
    placeholder: 'ms',
    description,
    defaultText: `${value}`,
    defaultValue: value,
    parse,
  })
}

/** A setting that is a number of bytes. */
export function bytes(
  flag: string,
  value: number,
  range: readonly [number, number],
  description: string,
): Setting<number> {
  const parse = (given: string) => parseBytes(given, range[0], range[1])
  const defaultText = formatBytes(value)
  return Object.freeze({ flag, placeholder: 'bytes', description, defaultText, defaultValue: value, parse })
}

/** Text that is not empty. Throws a SettingProblem. */
export function notEmpty(given: string): string {
  if (given.trim() === '') throw new SettingProblem('it is empty')
  return given
}

/** Reads on or off. Throws a SettingProblem. */
export function onOff(given: string): boolean {
  if (given !== 'on' && given !== 'off') throw new SettingProblem(`"${given}" is neither on nor off`)
  return given === 'on'
}
